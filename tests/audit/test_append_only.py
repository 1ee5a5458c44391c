"""Tests that events of the audit trail cannot be changed or deleted.

Runtime roles lack the privileges, and a trigger rejects the statements of all other roles.
"""

from contextlib import nullcontext

import pytest
from django.db import ProgrammingError, connection, transaction

from audit.models import Event
from audit.registry import EventType
from audit.services import record
from tenants.context import hotel_context, platform_context
from tenants.database.connections import direct_connection
from tenants.models import Hotel

CHANGES = [
    "UPDATE audit_event SET event = 'another.event'",
    "UPDATE audit_event SET data = '{}'",
    "UPDATE audit_event SET transaction = transaction + 1",
    "DELETE FROM audit_event",
    "TRUNCATE audit_event",
]


@pytest.mark.parametrize(
    ("connection_kind", "error"), [("runtime", "permission denied"), ("owner", "append-only")]
)
@pytest.mark.django_db(transaction=True)
def test_statements_that_change_or_delete_events_are_rejected(
    hotel: Hotel, lamp_lit: EventType, connection_kind: str, error: str
) -> None:
    for context in (hotel_context(hotel), platform_context()):
        with context, direct_connection() if connection_kind == "owner" else nullcontext():
            event = record(lamp_lit, subject=("lamp", 1), colour="red")
            for statement in CHANGES:
                with (
                    pytest.raises(ProgrammingError, match=error),
                    transaction.atomic(),
                    connection.cursor() as cursor,
                ):
                    cursor.execute(statement)
            assert Event.objects.get(id=event.id).event == event.event


@pytest.mark.django_db(transaction=True)
def test_database_owner_who_deletes_events_gets_an_error_with_a_hint(hotel: Hotel) -> None:
    with (
        direct_connection(),
        hotel_context(hotel),
        pytest.raises(ProgrammingError, match="record another one"),
        connection.cursor() as cursor,
    ):
        cursor.execute("DELETE FROM audit_event")


@pytest.mark.django_db
def test_stored_events_cannot_be_changed_or_deleted_through_the_model(
    in_hotel: Hotel, lamp_lit: EventType
) -> None:
    event = record(lamp_lit, colour="red")
    event.actor_id = "another actor"
    with pytest.raises(ProgrammingError), transaction.atomic():
        event.save()
    with pytest.raises(ProgrammingError), transaction.atomic():
        Event.objects.all().delete()


@pytest.mark.django_db(transaction=True)
def test_schema_of_a_hotel_with_recorded_events_can_be_dropped(hotel: Hotel, lamp_lit: EventType) -> None:
    with hotel_context(hotel):
        record(lamp_lit, colour="red")
    with direct_connection(), platform_context(), connection.cursor() as cursor:
        cursor.execute(f'DROP SCHEMA "{hotel.schema}" CASCADE')
