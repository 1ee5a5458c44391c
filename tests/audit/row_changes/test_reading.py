"""Tests of how events about changed rows are shown, found and erased."""

from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from audit.entries import entry
from audit.erasure import erase_guest
from audit.models import Event, attach_causes
from audit.registry import EventType
from audit.services import record
from tenants.context import Actor, actor_context, hotel_context
from tenants.models import Hotel, User
from tenants.scopes import Role
from tests.audit.row_changes.changes import add_user, last_change

pytestmark = pytest.mark.django_db(transaction=True)

URL = "/api/v1/audit/"


def change_as(actor: Actor, lamp_lit: EventType, user: User, **values: Any) -> Event:
    """Change an account and record an event of the actor in one transaction. Return the event about the changed row."""
    with actor_context(actor), transaction.atomic():
        User.objects.filter(pk=user.pk).update(**values)
        record(lamp_lit, subject=("lamp", 1), colour="red")
    return last_change()


def test_row_change_is_shown_with_the_actor_of_the_other_events_of_its_transaction(
    in_hotel: Hotel, lamp_lit: EventType
) -> None:
    user = add_user("rosa")
    event = change_as(Actor("user", "7", "ana"), lamp_lit, user, role=Role.MANAGER)
    assert event.actor_label == "ana"
    assert event.description == "ana changed rows of the table “staff” (1)"
    assert event.data["rows"][0][0] == str(user.pk)


def test_row_change_by_psql_is_shown_with_the_login(hotel: Hotel) -> None:
    with hotel_context(hotel):
        user = add_user("rosa")
    with psycopg.connect(settings.DATABASE_DIRECT_URL) as session:
        session.execute(f"DELETE FROM {hotel.schema}.tenants_user WHERE id = '{user.pk}'")
    login = psycopg.conninfo.conninfo_to_dict(settings.DATABASE_DIRECT_URL)["user"]
    with hotel_context(hotel):
        event = last_change()
        assert (
            event.description == f"{login} (directly in the database) deleted rows of the table “staff” (1)"
        )
        assert event.actor_label == f"{login} (directly in the database)"


def test_list_of_row_changes_reads_all_actors_with_one_query(in_hotel: Hotel, lamp_lit: EventType) -> None:
    user = add_user("rosa")
    for number, language in enumerate(("en", "es", "pt")):
        change_as(Actor("user", str(number), f"ana-{number}"), lamp_lit, user, language=language)
    events = list(Event.objects.filter(event="rows.updated").order_by("id"))
    with CaptureQueriesContext(connection) as queries:
        attach_causes(events)
        assert [event.actor_label for event in events] == ["ana-0", "ana-1", "ana-2"]
    assert len(queries) == 1


def test_api_and_admin_show_the_actor_of_row_changes(
    api: APIClient, staff: Client, hotel: Hotel, lamp_lit: EventType
) -> None:
    with hotel_context(hotel):
        user = add_user("rosa")
        change_as(Actor("user", "7", "Ana Lima"), lamp_lit, user, language="es")
    [found] = api.get(URL, {"event": "rows.updated", "subject_id": str(user.pk)}).json()["results"]
    assert (found["actor_label"], found["actor_kind"]) == ("Ana Lima", "database")
    for path in ("/admin/audit/event/?event=rows.updated", f"/admin/tenants/user/{user.pk}/history/"):
        assert "Ana Lima changed rows of the table “staff” (1)" in staff.get(path).content.decode()


def test_events_of_one_request_include_the_row_changes_of_all_its_transactions(
    api: APIClient, hotel: Hotel, lamp_lit: EventType
) -> None:
    with hotel_context(hotel):
        user = add_user("rosa")
        ana = Actor("user", "7", "ana", request_id="request-1")
        first = change_as(ana, lamp_lit, user, language="es")
        second = change_as(ana, lamp_lit, user, language="pt")
        other = change_as(Actor("user", "8", "ben", request_id="request-2"), lamp_lit, user, language="en")
        lamp = Event.objects.filter(event="lamp.lit", request_id="request-1").latest("id")
    for event in (first, second, lamp):
        found = {result["id"] for result in api.get(URL, {"act": str(event.id)}).json()["results"]}
        assert {str(first.id), str(second.id), str(lamp.id)} <= found
        assert len(found) == 4
        assert str(other.id) not in found


def test_recording_of_row_changes_needs_no_round_trip_and_leaves_no_session_state(in_hotel: Hotel) -> None:
    add_user("rosa")
    before = session_state()
    with CaptureQueriesContext(connection) as queries:
        User.objects.update(language="es")
    assert len(queries) == 1
    assert last_change().data["rows"][0][3] == {"language": ["", "es"]}
    assert session_state() == before


def session_state() -> list[tuple[Any, ...]]:
    """Return the settings that differ from the defaults of the database session."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, setting FROM pg_settings WHERE source = 'session' ORDER BY name")
        return list(cursor.fetchall())


def test_erasure_of_a_guest_covers_the_values_in_row_changes(in_hotel: Hotel) -> None:
    user = add_user("ben", email="ada@example.com")
    User.objects.filter(pk=user.pk).update(email="")
    entries = {event.pk: entry(event) for event in Event.objects.filter(event__startswith="rows.")}
    assert "ada@example.com" in str(list(Event.objects.values("personal")))
    erased = erase_guest(lambda texts: any("ada@example.com" in text for text in texts))
    assert erased.events == 2
    assert "ada@example.com" not in str(list(Event.objects.values()))
    assert {event.pk: entry(event) for event in Event.objects.filter(pk__in=entries)} == entries
