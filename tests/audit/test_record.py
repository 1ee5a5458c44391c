import datetime
import decimal
import threading
import uuid
from typing import Any

import pytest
from django.db import ProgrammingError, connection, transaction

from audit.errors import EventTypeNotFound, InvalidEventFields
from audit.models import Event
from audit.registry import EventType
from audit.selectors import timeline
from audit.services import record, record_apart, record_many
from tenants.context import Actor, actor_context, hotel_context, platform_context
from tenants.database.connections import direct_connection
from tenants.models import Hotel


class Fuse(Exception):
    pass


@pytest.mark.django_db
def test_it_says_who_did_what_when_and_from_where(in_hotel: Hotel, as_ana: Actor, lit: EventType) -> None:
    lamp = uuid.uuid4()
    written = record(lit, subject=("lamp", lamp), colour="red")
    event = Event.objects.get(id=written.id)
    assert (event.actor_kind, event.actor_id, event.actor_label) == ("user", as_ana.id, "ana")
    assert (event.ip, event.request_id) == ("192.0.2.7", "request-1")
    assert (event.subject_kind, event.subject_id, event.data) == ("lamp", str(lamp), {"colour": "red"})
    assert event.sentence == f"ana lit lamp {lamp} in red"


@pytest.mark.django_db
def test_the_time_is_the_database_s(in_hotel: Hotel, lit: EventType) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        before = cursor.fetchone()[0]
        event = record(lit, colour="red")
        cursor.execute("SELECT clock_timestamp()")
        assert before <= event.at <= cursor.fetchone()[0]


@pytest.mark.django_db
def test_it_stores_dates_and_ids_as_json_does(in_hotel: Hotel, lit: EventType) -> None:
    record(lit, colour=[datetime.date(2026, 3, 1), uuid.UUID(int=7)])
    assert Event.objects.get(event="lamp.lit").data["colour"] == ["2026-03-01", str(uuid.UUID(int=7))]


@pytest.mark.django_db
def test_it_refuses_an_unregistered_event(in_hotel: Hotel) -> None:
    with pytest.raises(EventTypeNotFound):
        record(EventType(name="never.registered", sentence="", fields=frozenset()))


@pytest.mark.django_db
def test_it_refuses_wrong_fields_before_anything_is_written(in_hotel: Hotel, lit: EventType) -> None:
    with pytest.raises(InvalidEventFields):
        record(lit, subject=("lamp", 1), color="red")
    assert not timeline(kind="lamp", identifier=1).exists()


@pytest.mark.django_db(transaction=True)
def test_a_rollback_undoes_what_is_recorded_and_keeps_what_is_recorded_apart(
    in_hotel: Hotel, as_ana: Actor, lit: EventType
) -> None:
    with pytest.raises(Fuse), transaction.atomic():  # noqa: PT012 - the rollback is what is tested
        record(lit, subject=("lamp", 1), colour="red")
        record_apart(lit, subject=("lamp", 1), colour="blue")
        raise Fuse
    [kept] = timeline(kind="lamp", identifier=1)
    assert kept.data == {"colour": "blue"}
    assert kept.actor_label == "ana"
    assert kept.at is not None


@pytest.mark.django_db(transaction=True)
def test_what_is_recorded_apart_is_seen_by_others_before_the_transaction_ends(
    in_hotel: Hotel, lit: EventType
) -> None:
    with transaction.atomic():
        record(lit, subject=("lamp", 1), colour="red")
        record_apart(lit, subject=("lamp", 2), colour="blue")
        stranger = connection.copy()
        try:
            with stranger.cursor() as cursor:
                cursor.execute("SELECT subject_id FROM audit_event WHERE event = 'lamp.lit'")
                assert cursor.fetchall() == [("2",)]
        finally:
            stranger.close()


@pytest.mark.django_db(transaction=True)
def test_who_records_apart_never_waits_for_itself(hotel: Hotel, lit: EventType) -> None:
    """As behind a pool whose last connection the caller holds; here, it holds the table."""
    with direct_connection(), hotel_context(hotel):
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("LOCK TABLE audit_event IN EXCLUSIVE MODE")
            record_apart(lit, subject=("lamp", 1), colour="blue")
        for thread in threading.enumerate():
            if thread.name == "audit-apart":
                thread.join(20)
        assert timeline(kind="lamp", identifier=1).count() == 1


@pytest.mark.django_db(transaction=True)
def test_what_can_t_be_recorded_apart_is_the_caller_s_error(
    hotel: Hotel, lit: EventType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Event._meta.get_field("event"), "column", "no_such_column")
    with hotel_context(hotel), transaction.atomic(), pytest.raises(ProgrammingError):
        record_apart(lit, colour="blue")


@pytest.mark.django_db(transaction=True)
def test_what_is_recorded_apart_stands_with_its_hotel(
    hotel: Hotel, other_hotel: Hotel, lit: EventType
) -> None:
    with hotel_context(hotel), transaction.atomic():
        record_apart(lit, subject=("lamp", 1), colour="blue")
    with hotel_context(hotel):
        assert timeline(kind="lamp", identifier=1).count() == 1
    with hotel_context(other_hotel):
        assert not timeline(kind="lamp", identifier=1).exists()
    with platform_context():
        assert not timeline(kind="lamp", identifier=1).exists()


@pytest.mark.django_db
def test_many_are_recorded_with_one_statement(
    in_hotel: Hotel, lit: EventType, django_assert_num_queries: Any
) -> None:
    rows = [(("lamp", number), {"colour": "red"}) for number in range(500)]
    with django_assert_num_queries(1):
        assert record_many(lit, rows) == 500
    assert Event.objects.filter(event="lamp.lit").count() == 500


@pytest.mark.django_db
@pytest.mark.parametrize("ip", ["192.0.2.7", "2001:db8::7", None])
def test_one_of_many_is_told_as_one_alone(in_hotel: Hotel, lit: EventType, ip: str | None) -> None:
    who = Actor(kind="key", id="7", label="a" * 300, ip=ip, request_id="request-1")
    what: dict[str, Any] = {
        "colour": [
            datetime.date(2026, 3, 1),
            uuid.UUID(int=7),
            decimal.Decimal("1.50"),
            "100 % {ñ} 'x' \\",
            None,
        ]
    }
    with actor_context(who):
        for subject in (("lamp", uuid.UUID(int=1)), None):
            record(lit, subject=subject, **what)
            record_many(lit, [(subject, what)])
    shown = [
        {name: value for name, value in row.items() if name not in {"id", "at"}}
        for row in Event.objects.filter(event="lamp.lit").order_by("id").values()
    ]
    assert len(shown) == 4
    assert (shown[0], shown[2]) == (shown[1], shown[3])


@pytest.mark.django_db
def test_one_wrong_row_of_many_writes_none(in_hotel: Hotel, lit: EventType) -> None:
    with pytest.raises(InvalidEventFields):
        record_many(lit, [(("lamp", 1), {"colour": "red"}), (("lamp", 2), {})])
    assert not Event.objects.filter(event="lamp.lit").exists()


@pytest.mark.django_db
def test_the_platform_has_a_trail_of_its_own(platform: None, hotel: Hotel, lit: EventType) -> None:
    record(lit, subject=("lamp", 1), colour="red")
    assert timeline(kind="lamp", identifier=1).count() == 1
    with hotel_context(hotel):
        assert not timeline(kind="lamp", identifier=1).exists()


@pytest.mark.django_db
def test_an_event_whose_type_is_gone_still_reads(in_hotel: Hotel, as_ana: Actor) -> None:
    event = Event(event="long.gone", actor_kind="user", actor_label="ana", data={"room": 7})
    assert "long.gone" in event.sentence
    assert "7" in event.sentence
