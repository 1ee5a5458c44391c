"""Fixtures for the audit trail tests: an example event type, and a user who is the actor of events."""

from collections.abc import Iterator

import pytest

from audit import registry
from audit.registry import EventType, Outcome, Severity
from tenants.context import Actor, actor_context

ANA = Actor("user", "0198c0de-0000-7000-8000-000000000001", "ana", "192.0.2.7", "request-1")


@pytest.fixture
def lamp_lit(monkeypatch: pytest.MonkeyPatch) -> EventType:
    """Register the example event type `lamp.lit` until the end of the test, and return the event type."""
    monkeypatch.setattr(registry, "_types", dict(registry._types))
    return registry.register("lamp.lit", description="{actor} lit {subject} in {colour}", fields=("colour",))


@pytest.fixture
def guest_called(monkeypatch: pytest.MonkeyPatch) -> EventType:
    """Register an example event type with plain, personal and secret fields, and return the event type."""
    monkeypatch.setattr(registry, "_types", dict(registry._types))
    return registry.register(
        "guest.called",
        description="{actor} called {guest}",
        fields=("room",),
        personal=("guest", "reason"),
        secret=("pin",),
        severity=Severity.WARNING,
        outcome=Outcome.FAILED,
        version=2,
        earlier={1: "{actor} called"},
    )


@pytest.fixture
def as_ana() -> Iterator[Actor]:
    with actor_context(ANA):
        yield ANA
