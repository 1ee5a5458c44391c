"""Fixtures for the audit trail tests: an example event type, and a user who is the actor of events."""

from collections.abc import Iterator

import pytest

from audit import registry
from audit.registry import EventType
from tenants.context import Actor, actor_context

ANA = Actor("user", "0198c0de-0000-7000-8000-000000000001", "ana", "192.0.2.7", "request-1")


@pytest.fixture
def lamp_lit(monkeypatch: pytest.MonkeyPatch) -> EventType:
    """Register an example event type, `lamp.lit`, for the duration of a test, and return it."""
    monkeypatch.setattr(registry, "_types", dict(registry._types))
    return registry.register("lamp.lit", description="{actor} lit {subject} in {colour}", fields=("colour",))


@pytest.fixture
def as_ana() -> Iterator[Actor]:
    with actor_context(ANA):
        yield ANA
