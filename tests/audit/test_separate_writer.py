"""Tests of the thread that writes events separately. The events are kept if the caller's transaction is rolled back."""

import threading
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction

from audit import services
from audit.models import Event
from audit.recording import separate
from audit.recording.separate import LOST, SeparateWriter
from audit.registry import EventType
from audit.services import record_in_own_transaction
from tenants.context import hotel_context
from tenants.models import Hotel
from tests.programs import run_python

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def writer(monkeypatch: pytest.MonkeyPatch) -> SeparateWriter:
    """Let `record_in_own_transaction` use a new writer during the test, and return this writer."""
    new = SeparateWriter(services._record_lost)
    monkeypatch.setattr(services.separate_writer, "_writer", new)
    monkeypatch.setattr(separate, "RETRY_PAUSE", 0.01)
    return new


def make_unavailable(monkeypatch: pytest.MonkeyPatch, *, attempts: int) -> None:
    """Let the first attempts to store an event fail, as if the database were unavailable."""
    raise_first(monkeypatch, [OperationalError("the database is unavailable")] * attempts)


def raise_first(monkeypatch: pytest.MonkeyPatch, errors: list[BaseException]) -> None:
    """Make the first attempts to store an event fail. Each of these attempts raises one of the errors."""
    save = Event.save

    def fail_or_save(event: Event, **options: Any) -> None:
        if errors:
            raise errors.pop()
        save(event, **options)

    monkeypatch.setattr(Event, "save", fail_or_save)


def count_lamps() -> int:
    return Event.objects.filter(event="lamp.lit").count()


def deny(lamp_lit: EventType, number: int = 1) -> None:
    with transaction.atomic():
        for _ in range(number):
            record_in_own_transaction(lamp_lit, colour="blue")
        transaction.set_rollback(True)


@pytest.mark.parametrize("in_transaction", [True, False])
def test_event_is_written_later_if_the_database_is_unavailable(
    in_hotel: Hotel,
    lamp_lit: EventType,
    writer: SeparateWriter,
    monkeypatch: pytest.MonkeyPatch,
    in_transaction: bool,
) -> None:
    make_unavailable(monkeypatch, attempts=3)
    if in_transaction:
        deny(lamp_lit)
    else:
        record_in_own_transaction(lamp_lit, colour="blue")
    assert writer.wait_until_empty(10)
    assert count_lamps() == 1
    assert not Event.objects.filter(event="audit.events_lost").exists()


def test_number_of_lost_events_is_recorded_in_the_trail_of_the_hotel(
    hotel: Hotel,
    other_hotel: Hotel,
    lamp_lit: EventType,
    writer: SeparateWriter,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(separate, "RETRY_SECONDS", 0.0)
    before = LOST._value.get()
    make_unavailable(monkeypatch, attempts=3)
    for current, number in ((hotel, 2), (other_hotel, 1)):
        with hotel_context(current):
            deny(lamp_lit, number)
            assert count_lamps() == 0
    assert LOST._value.get() - before == 3
    with hotel_context(hotel):
        deny(lamp_lit)
        assert count_lamps() == 1
    for current, number in ((hotel, 2), (other_hotel, 1)):
        with hotel_context(current):
            event = Event.objects.get(event="audit.events_lost")
            assert (event.data["number"], event.data["types"]) == (number, {"lamp.lit": number})
            assert (event.actor_kind, event.severity, event.outcome) == ("system", 4, 3)
            assert "could not be recorded since" in event.description


def test_events_for_a_full_queue_are_counted_as_lost_without_delay(
    in_hotel: Hotel, lamp_lit: EventType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(separate, "QUEUE_LENGTH", 2)
    monkeypatch.setattr(services, "TIMEOUT_SECONDS", 0.01)
    new = SeparateWriter(services._record_lost)
    monkeypatch.setattr(services.separate_writer, "_writer", new)
    is_blocked, unblock = threading.Event(), threading.Event()
    save = Event.save

    def wait_and_save(event: Event, **options: Any) -> None:
        if event.event == "lamp.lit":
            is_blocked.set()
            assert unblock.wait(10)
        save(event, **options)

    monkeypatch.setattr(Event, "save", wait_and_save)
    deny(lamp_lit)
    assert is_blocked.wait(10)
    deny(lamp_lit, 5)
    unblock.set()
    assert new.wait_until_empty(10)
    assert count_lamps() == 3
    assert Event.objects.get(event="audit.events_lost").data["number"] == 3


def test_event_writer_continues_after_an_error_that_would_end_its_thread(
    in_hotel: Hotel, lamp_lit: EventType, writer: SeparateWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    raise_first(monkeypatch, [SystemExit()])
    with pytest.raises(SystemExit):
        deny(lamp_lit)
    deny(lamp_lit)
    assert count_lamps() == 1
    assert Event.objects.get(event="audit.events_lost").data["number"] == 1


def test_events_of_many_threads_are_written_by_one_writer_thread(
    in_hotel: Hotel, lamp_lit: EventType, writer: SeparateWriter
) -> None:
    def deny_in_hotel() -> None:
        try:
            with hotel_context(in_hotel):
                deny(lamp_lit, 5)
        finally:
            connection.close()

    before = sum(thread.name == "audit-record" for thread in threading.enumerate())
    threads = [threading.Thread(target=deny_in_hotel) for _ in range(8)]
    for thread in threads:
        thread.start()
    assert sum(thread.name == "audit-record" for thread in threading.enumerate()) <= before + 1
    for thread in threads:
        thread.join(20)
    assert writer.wait_until_empty(10)
    assert count_lamps() == 40


def test_event_is_written_before_the_process_ends(in_hotel: Hotel) -> None:
    """The timeout of the caller is 0, so the process must wait for the writer thread when the process ends."""
    program = (
        "from django.db import transaction\n"
        "from audit import events, services\n"
        "from tenants.context import hotel_context\n"
        "from tenants.host_routing import resolve\n"
        "services.TIMEOUT_SECONDS = 0\n"
        f"with hotel_context(resolve('{in_hotel.slug}.localhost')), transaction.atomic():\n"
        "    services.record_in_own_transaction(events.LOGIN_FAILED)\n"
        "    transaction.set_rollback(True)\n"
    )
    done = run_python("-c", program, environment=None)
    assert done.returncode == 0, done.stderr
    assert Event.objects.filter(event="staff.login_failed").count() == 1
