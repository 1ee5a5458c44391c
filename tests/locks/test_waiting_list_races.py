"""Tests of the waiting list under concurrent releases and holds: the oldest entries get offers, without deadlocks."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from uuid import UUID

import pytest
from django.db import connection, transaction

from locks import services
from locks.errors import RoomContention, RoomTypeUnavailable, RoomUnavailable
from locks.holds import Hold
from locks.models import Allocation, AllocationStatus
from locks.nights import Nights
from locks.waiting_list.models import WaitingListEntry
from locks.waiting_list.offers import process_entry
from locks.waiting_list.services import NewEntry, create_entry
from tenants.context import hotel_context
from tenants.models import Hotel
from tests.locks.conftest import SomeNights
from tests.races.overlaps import OVERLAPS
from tests.threads import call_at_the_same_time

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(180)]

ROUNDS = 8
REFUSED = (RoomUnavailable, RoomTypeUnavailable, RoomContention)


def process_repeatedly(entries: list[UUID]) -> Callable[[], None]:
    def process() -> None:
        for _ in range(3):
            for entry in entries:
                process_entry(entry)

    return process


def acquire_repeatedly(nights: Nights, rooms: list[int]) -> Callable[[], None]:
    attempts: list[Callable[[], object]] = [
        lambda: services.acquire_hold_of_type(room_type="double", nights=nights),
        lambda: services.acquire_hold(rooms=rooms[:2], nights=nights),
    ]

    def acquire() -> None:
        for attempt in attempts * 3:
            with suppress(*REFUSED):
                attempt()

    return acquire


def release(hold: Hold) -> Callable[[], object]:
    return lambda: services.release_hold(hold.id, token=hold.token)


def test_oldest_entries_get_the_rooms_that_other_clients_try_to_hold(
    in_hotel: Hotel, rooms: list[int], nights: SomeNights
) -> None:
    for number in range(ROUNDS):
        some = nights(1 + 2 * number, 2)
        holds = [services.acquire_hold(rooms=[room], nights=some) for room in rooms]
        entries = [create_entry(NewEntry(nights=some, room_type="double")).id for _ in range(5)]
        call_at_the_same_time(
            in_hotel,
            *[release(hold) for hold in holds],
            *[process_repeatedly(entries), process_repeatedly(entries[::-1])],
            *[acquire_repeatedly(some, rooms) for _ in range(3)],
            kind="key",
        )
        for entry in entries:  # as a worker does after each release of a room
            process_entry(entry)
        statuses = dict(WaitingListEntry.objects.filter(id__in=entries).values_list("id", "status"))
        assert [statuses[entry] for entry in entries] == ["offered"] * 3 + ["waiting"] * 2, number
        live = Allocation.objects.filter(
            nights__overlap=(some.check_in, some.check_out), status=AllocationStatus.HELD
        )
        assert not live.filter(holder__startswith="key:rival").exists()
        assert live.count() == len(rooms)
    with connection.cursor() as cursor:
        cursor.execute(OVERLAPS)
        assert cursor.fetchone() == (0,)


@contextmanager
def uncommitted(hotel: Hotel, function: Callable[[], object]) -> Iterator[threading.Event]:
    """Run the function in another transaction, and yield a `threading.Event`.

    The transaction stays open until the event is set or the `with` block ends.
    """
    done, commit = threading.Event(), threading.Event()

    def run() -> None:
        try:
            with hotel_context(hotel), transaction.atomic():
                function()
                done.set()
                commit.wait(30)
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert done.wait(30)
        yield commit
    finally:
        commit.set()
        thread.join(30)


def test_waiting_list_entry_created_during_a_release_gets_an_offer_when_processed_again(
    in_hotel: Hotel, rooms: list[int], nights: SomeNights
) -> None:
    hold = services.acquire_hold(rooms=rooms[:1], nights=nights(1))
    with uncommitted(in_hotel, release(hold)):
        entry = create_entry(NewEntry(nights=nights(1), room=rooms[0]))
        assert entry.status == "waiting"
    process_entry(entry.id)
    entry.refresh_from_db()
    assert entry.status == "offered"


def test_room_released_while_an_entry_is_processed_makes_the_entry_due_again(
    in_hotel: Hotel, rooms: list[int], nights: SomeNights
) -> None:
    hold = services.acquire_hold(rooms=rooms[:1], nights=nights(1))
    entry = create_entry(NewEntry(nights=nights(1), room=rooms[0]))
    with connection.cursor() as cursor:
        due = (
            "SELECT count(*) FROM public.tenants_dueitem WHERE item_id = %s AND claim_at <= clock_timestamp()"
        )
        with uncommitted(in_hotel, lambda: process_entry(entry.id)) as commit:
            releaser = threading.Thread(
                target=lambda: call_at_the_same_time(in_hotel, release(hold), kind="key"),
            )
            releaser.start()
            commit.set()
            releaser.join(30)
        cursor.execute(due, [entry.id])
        assert cursor.fetchone() == (1,)


def test_processing_of_a_waiting_list_entry_skips_a_room_that_another_transaction_has_locked(
    in_hotel: Hotel, rooms: list[int], nights: SomeNights
) -> None:
    hold = services.acquire_hold(rooms=rooms[:1], nights=nights(1))
    entry = create_entry(NewEntry(nights=nights(1), room=rooms[0]))
    services.release_hold(hold.id, token=hold.token)
    with uncommitted(in_hotel, lambda: services.acquire_hold(rooms=rooms[:1], nights=nights(9))):
        process_entry(entry.id)
        entry.refresh_from_db()
        assert entry.status == "waiting"
    process_entry(entry.id)
    entry.refresh_from_db()
    assert entry.status == "offered"
