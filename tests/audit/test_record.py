"""Tests of the functions that record events in the audit trail."""

import datetime
import decimal
import uuid
from typing import Any

import pytest
from django.db import ProgrammingError, connection, transaction

from audit.errors import EventTypeNotFound, InvalidEventFields
from audit.models import Event
from audit.reading.search import timeline
from audit.registry import EventType
from audit.services import record, record_in_own_transaction, record_many, separate_writer
from tenants.context import Actor, actor_context, hotel_context, platform_context
from tenants.database.connections import direct_connection
from tenants.models import Hotel


class RollbackError(Exception):
    pass


@pytest.mark.django_db
def test_recorded_event_contains_actor_origin_subject_and_fields(
    in_hotel: Hotel, as_ana: Actor, lamp_lit: EventType
) -> None:
    lamp = uuid.uuid4()
    recorded = record(lamp_lit, subject=("lamp", lamp), colour="red")
    event = Event.objects.get(id=recorded.id)
    assert (event.actor_kind, event.actor_id, event.actor_label) == ("user", as_ana.id, "ana")
    assert (event.ip, event.request_id) == ("192.0.2.7", "request-1")
    assert (event.subject_kind, event.subject_id, event.data) == ("lamp", str(lamp), {"colour": "red"})
    assert event.description == f"ana lit lamp {lamp} in red"


@pytest.mark.django_db
def test_time_of_a_recorded_event_comes_from_the_database_clock(in_hotel: Hotel, lamp_lit: EventType) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        before = cursor.fetchone()[0]
        event = record(lamp_lit, colour="red")
        cursor.execute("SELECT clock_timestamp()")
        assert before <= event.at <= cursor.fetchone()[0]


@pytest.mark.django_db
def test_dates_and_ids_in_event_fields_are_stored_as_strings(in_hotel: Hotel, lamp_lit: EventType) -> None:
    record(lamp_lit, colour=[datetime.date(2026, 3, 1), uuid.UUID(int=7)])
    assert Event.objects.get(event="lamp.lit").data["colour"] == ["2026-03-01", str(uuid.UUID(int=7))]


@pytest.mark.django_db
def test_event_of_an_unregistered_type_raises_event_type_not_found(in_hotel: Hotel) -> None:
    with pytest.raises(EventTypeNotFound):
        record(EventType(name="never.registered", description="", fields=frozenset()))


@pytest.mark.django_db
def test_event_with_wrong_fields_raises_an_error_and_is_not_recorded(
    in_hotel: Hotel, lamp_lit: EventType
) -> None:
    with pytest.raises(InvalidEventFields):
        record(lamp_lit, subject=("lamp", 1), color="red")
    assert not timeline(kind="lamp", identifier=1).exists()


@pytest.mark.django_db(transaction=True)
def test_rollback_removes_an_event_unless_it_was_recorded_in_a_separate_transaction(
    in_hotel: Hotel, as_ana: Actor, lamp_lit: EventType
) -> None:
    with pytest.raises(RollbackError), transaction.atomic():  # noqa: PT012 - the rollback is what is tested
        record(lamp_lit, subject=("lamp", 1), colour="red")
        record_in_own_transaction(lamp_lit, subject=("lamp", 1), colour="blue")
        raise RollbackError
    [kept] = timeline(kind="lamp", identifier=1)
    assert kept.data == {"colour": "blue"}
    assert kept.actor_label == "ana"
    assert kept.at is not None


@pytest.mark.django_db(transaction=True)
def test_separately_recorded_event_is_committed_before_the_callers_transaction(
    in_hotel: Hotel, lamp_lit: EventType
) -> None:
    with transaction.atomic():
        record(lamp_lit, subject=("lamp", 1), colour="red")
        record_in_own_transaction(lamp_lit, subject=("lamp", 2), colour="blue")
        other_connection = connection.copy()
        try:
            with other_connection.cursor() as cursor:
                cursor.execute("SELECT subject_id FROM audit_event WHERE event = 'lamp.lit'")
                assert cursor.fetchall() == [("2",)]
        finally:
            other_connection.close()


@pytest.mark.django_db(transaction=True)
def test_separately_recorded_event_is_stored_later_if_the_table_is_locked(
    hotel: Hotel, lamp_lit: EventType
) -> None:
    """The caller locks the event table, so the separate transaction cannot write the event until the lock is released.

    A connection pool without a free connection has the same effect.
    """
    with direct_connection(), hotel_context(hotel):
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("LOCK TABLE audit_event IN EXCLUSIVE MODE")
            record_in_own_transaction(lamp_lit, subject=("lamp", 1), colour="blue")
        assert separate_writer.current().wait_until_empty(20)
        assert timeline(kind="lamp", identifier=1).count() == 1


@pytest.mark.django_db(transaction=True)
def test_record_in_own_transaction_raises_a_database_error_that_is_not_temporary(
    hotel: Hotel, lamp_lit: EventType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Event._meta.get_field("event"), "column", "no_such_column")
    with hotel_context(hotel), transaction.atomic(), pytest.raises(ProgrammingError):
        record_in_own_transaction(lamp_lit, colour="blue")


@pytest.mark.django_db(transaction=True)
def test_record_in_own_transaction_adds_the_event_to_the_trail_of_the_current_hotel(
    hotel: Hotel, other_hotel: Hotel, lamp_lit: EventType
) -> None:
    with hotel_context(hotel), transaction.atomic():
        record_in_own_transaction(lamp_lit, subject=("lamp", 1), colour="blue")
    with hotel_context(hotel):
        assert timeline(kind="lamp", identifier=1).count() == 1
    with hotel_context(other_hotel):
        assert not timeline(kind="lamp", identifier=1).exists()
    with platform_context():
        assert not timeline(kind="lamp", identifier=1).exists()


@pytest.mark.django_db
def test_record_many_executes_one_sql_statement(
    in_hotel: Hotel, lamp_lit: EventType, django_assert_num_queries: Any
) -> None:
    rows = [(("lamp", number), {"colour": "red"}) for number in range(500)]
    with django_assert_num_queries(1):
        assert record_many(lamp_lit, rows) == 500
    assert Event.objects.filter(event="lamp.lit").count() == 500


@pytest.mark.django_db
@pytest.mark.parametrize("ip", ["192.0.2.7", "2001:db8::7", None])
def test_record_many_stores_the_same_values_as_record(
    in_hotel: Hotel, lamp_lit: EventType, ip: str | None
) -> None:
    actor = Actor(kind="key", id="7", label="a" * 300, ip=ip, request_id="request-1")
    fields: dict[str, Any] = {
        "colour": [
            datetime.date(2026, 3, 1),
            uuid.UUID(int=7),
            decimal.Decimal("1.50"),
            "100 % {ñ} 'x' \\",
            None,
        ]
    }
    with actor_context(actor):
        for subject in (("lamp", uuid.UUID(int=1)), None):
            record(lamp_lit, subject=subject, **fields)
            record_many(lamp_lit, [(subject, fields)])
    rows = list(Event.objects.filter(event="lamp.lit").order_by("id").values())
    salts = [(row["personal"] or {})["actor"].pop("salt") for row in rows]
    stored = [{name: value for name, value in row.items() if name not in {"id", "at"}} for row in rows]
    assert len(stored) == len(set(salts)) == 4
    assert (stored[0], stored[2]) == (stored[1], stored[3])


@pytest.mark.django_db
def test_record_many_with_one_invalid_event_records_no_event(in_hotel: Hotel, lamp_lit: EventType) -> None:
    with pytest.raises(InvalidEventFields):
        record_many(lamp_lit, [(("lamp", 1), {"colour": "red"}), (("lamp", 2), {})])
    assert not Event.objects.filter(event="lamp.lit").exists()


@pytest.mark.django_db
def test_event_recorded_without_a_hotel_is_in_the_platforms_trail(
    platform: None, hotel: Hotel, lamp_lit: EventType
) -> None:
    record(lamp_lit, subject=("lamp", 1), colour="red")
    assert timeline(kind="lamp", identifier=1).count() == 1
    with hotel_context(hotel):
        assert not timeline(kind="lamp", identifier=1).exists()


@pytest.mark.django_db
def test_description_of_an_event_whose_type_is_not_registered_contains_the_raw_data(
    in_hotel: Hotel, as_ana: Actor
) -> None:
    event = Event(event="long.gone", actor_kind="user", data={"room": 7})
    assert "long.gone" in event.description
    assert "7" in event.description
