"""Tests of the SQL function `audit_record`, which other database functions call to record events."""

import base64
import json
from typing import Any
from uuid import UUID

import pytest
from django.db import connection

from audit import services
from audit.models import Event
from audit.recording.origin import actor_from_json
from audit.registry import EventType
from audit.services import actor_as_json
from tenants.context import Actor, actor_context

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("in_hotel")]


def record(actor: Any, personal: dict[str, Any] | None = None) -> Event:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT audit_record(%s::jsonb, 'hold.released', 'hold', 'a', %s::jsonb, %s::jsonb, 2, 3, 3)",
            [actor and json.dumps(actor), json.dumps({"room": "101"}), json.dumps(personal or {})],
        )
        event_id: UUID = cursor.fetchone()[0]
    return Event.objects.get(id=event_id)


def test_audit_record_with_an_actor_stores_the_actor_the_subject_and_the_data() -> None:
    with actor_context(Actor(kind="user", id="7", label="Ana", ip="192.0.2.1", request_id="r-1")):
        event = record(actor_as_json())
    assert (event.actor_kind, event.actor_id, event.actor_label) == ("user", "7", "Ana")
    assert (event.ip, event.request_id) == ("192.0.2.1", "r-1")
    assert (event.subject_kind, event.subject_id, event.data) == ("hold", "a", {"room": "101"})
    assert (event.version, event.severity, event.outcome) == (2, 3, 3)


def test_audit_record_without_an_actor_stores_the_system_as_actor() -> None:
    event = record(None)
    assert (event.actor_kind, event.actor_id, event.actor_label, event.ip) == ("system", "", "system", None)
    assert event.personal is None


def test_audit_record_stores_the_same_origin_as_record(lamp_lit: EventType) -> None:
    actor = Actor(
        kind="task",
        id="tests.task",
        label="tests.task",
        ip="192.0.2.1",
        ip_is_peer=True,
        user_agent="curl",
        request_id="r-1",
        task_id="t-1",
        idempotency_key="k-1",
        initiator=Actor(kind="user", id="7", label="Ana"),
    )
    with actor_context(actor):
        by_function = record(actor_as_json())
        by_python = services.record(lamp_lit, subject=("lamp", 1), colour="red")
        assert actor_from_json(actor_as_json()) == actor
    origins = [
        (
            event.actor_kind, event.actor_id, event.initiator_kind, event.initiator_id, event.request_id,
            event.task_id, event.idempotency_key, event.initiator_label, event.ip, event.user_agent,
        )
        for event in (by_function, by_python)
    ]  # fmt: skip
    assert origins[0] == origins[1]
    assert origins[0] == (
        "task", "tests.task", "user", "7", "r-1", "t-1", "k-1", "Ana", "192.0.2.1", "curl"
    )  # fmt: skip


def test_audit_record_stores_each_personal_field_with_a_separate_salt() -> None:
    personal = {"guest": "Ada", "reason": None}
    stored = [record(None, personal).personal or {} for _ in range(2)]
    assert [{name: field["value"] for name, field in event.items()} for event in stored] == [personal] * 2
    salts = {field["salt"] for event in stored for field in event.values()}
    assert len(salts) == 4
    assert {len(base64.b64decode(salt)) for salt in salts} == {16}
