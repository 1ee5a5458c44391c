"""Tests of the database function that records events for other database functions."""

import json
from typing import Any, cast

import pytest
from django.db import connection

from audit.models import Event
from audit.services import actor_as_json
from tenants.context import Actor, actor_context

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("in_hotel")]

RECORD = "SELECT audit_record(%s::jsonb, 'hold.released', 'hold', %s::text[], %s::jsonb[])"


def record(actor: Any, subject_ids: list[str], event_data: list[Any]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            RECORD,
            [actor and json.dumps(actor), subject_ids, [json.dumps(data) for data in event_data]],
        )


def test_audit_record_with_two_subjects_records_an_event_of_the_actor_for_each() -> None:
    ana = Actor(kind="user", id="7", label="Ana", ip="192.0.2.1", request_id="r-1")
    with actor_context(ana):
        record(actor_as_json(), ["a", "b"], [{"room": "101"}, {"room": "102"}])
    events = list(Event.objects.filter(event="hold.released").order_by("id"))
    assert [(event.subject_kind, event.subject_id, event.data) for event in events] == [
        ("hold", "a", {"room": "101"}),
        ("hold", "b", {"room": "102"}),
    ]
    assert {
        Actor(
            kind=cast("Any", event.actor_kind),
            id=event.actor_id,
            label=event.actor_label,
            ip=event.ip,
            request_id=event.request_id,
        )
        for event in events
    } == {ana}


def test_audit_record_without_an_actor_records_the_system() -> None:
    record(None, ["a"], [{}])
    event = Event.objects.get(event="hold.released")
    assert (event.actor_kind, event.actor_id, event.actor_label, event.ip) == ("system", "", "system", None)
