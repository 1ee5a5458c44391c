"""Two guards, each tried alone: the hotel's role lacks the right; the owner, who has it, meets the trigger."""

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
    "UPDATE audit_event SET actor_label = 'somebody else'",
    "UPDATE audit_event SET actor_label = actor_label WHERE false",
    "DELETE FROM audit_event",
    "TRUNCATE audit_event",
]


@pytest.mark.parametrize(("route", "refusal"), [("runtime", "permission denied"), ("owner", "append-only")])
@pytest.mark.django_db(transaction=True)
def test_nobody_changes_the_trail(hotel: Hotel, lit: EventType, route: str, refusal: str) -> None:
    for place in (hotel_context(hotel), platform_context()):
        with place, direct_connection() if route == "owner" else nullcontext():
            written = record(lit, subject=("lamp", 1), colour="red")
            for change in CHANGES:
                with (
                    pytest.raises(ProgrammingError, match=refusal),
                    transaction.atomic(),
                    connection.cursor() as cursor,
                ):
                    cursor.execute(change)
            assert Event.objects.get(id=written.id).actor_label == written.actor_label


@pytest.mark.django_db(transaction=True)
def test_the_refusal_says_what_to_do_instead(hotel: Hotel) -> None:
    with (
        direct_connection(),
        hotel_context(hotel),
        pytest.raises(ProgrammingError, match="record another one"),
        connection.cursor() as cursor,
    ):
        cursor.execute("DELETE FROM audit_event")


@pytest.mark.django_db
def test_the_orm_can_t_either(in_hotel: Hotel, lit: EventType) -> None:
    event = record(lit, colour="red")
    event.actor_label = "somebody else"
    with pytest.raises(ProgrammingError), transaction.atomic():
        event.save()
    with pytest.raises(ProgrammingError), transaction.atomic():
        Event.objects.all().delete()


@pytest.mark.django_db(transaction=True)
def test_a_hotel_s_trail_goes_with_its_schema(hotel: Hotel, lit: EventType) -> None:
    with hotel_context(hotel):
        record(lit, colour="red")
    with direct_connection(), platform_context(), connection.cursor() as cursor:
        cursor.execute(f'DROP SCHEMA "{hotel.schema}" CASCADE')
