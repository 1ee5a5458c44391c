"""Tests of the SQL function `audit_record`, with which other database functions record events."""

import json
from typing import Any

import pytest
from django.db import connection

from audit.models import Event
from audit.services import actor_as_json
from tenants.context import Actor, actor_context

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("in_hotel")]


def record(actor: Any) -> Event:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT audit_record(%s::jsonb, 'hold.released', 'hold', 'a', %s::jsonb)",
            [actor and json.dumps(actor), json.dumps({"room": "101"})],
        )
    return Event.objects.get(event="hold.released")


def test_audit_record_with_an_actor_stores_the_actor_the_subject_and_the_data() -> None:
    with actor_context(Actor(kind="user", id="7", label="Ana", ip="192.0.2.1", request_id="r-1")):
        event = record(actor_as_json())
    assert (event.actor_kind, event.actor_id, event.actor_label) == ("user", "7", "Ana")
    assert (event.ip, event.request_id) == ("192.0.2.1", "r-1")
    assert (event.subject_kind, event.subject_id, event.data) == ("hold", "a", {"room": "101"})


def test_audit_record_without_an_actor_stores_the_system_as_actor() -> None:
    event = record(None)
    assert (event.actor_kind, event.actor_id, event.actor_label, event.ip) == ("system", "", "system", None)
