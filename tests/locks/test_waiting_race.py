"""Rooms given back, looked at and asked for at the same moment: who waits longest has them, and nobody hangs."""

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
from tenants.context import Actor, actor_context, hotel_context
from tenants.models import Hotel
from tests.locks.conftest import SomeNights
from tests.races.overlaps import OVERLAPS

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(180)]

ROUNDS = 8
REFUSED = (RoomUnavailable, RoomTypeUnavailable, RoomContention)


class Crowd:
    """Acts that begin at one moment, each on a thread and a connection of its own."""

    def __init__(self, hotel: Hotel) -> None:
        self.hotel = hotel
        self.failed: list[BaseException] = []

    def run(self, acts: list[Callable[[], object]]) -> None:
        start = threading.Barrier(len(acts))

        def one(number: int, act: Callable[[], object]) -> None:
            try:
                with hotel_context(self.hotel), actor_context(Actor("key", f"rival-{number}", "rival")):
                    start.wait(timeout=30)
                    act()
            except BaseException as error:  # noqa: BLE001 - told to the test
                self.failed.append(error)
            finally:
                connection.close()

        threads = [threading.Thread(target=one, args=pair) for pair in enumerate(acts)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert not any(thread.is_alive() for thread in threads)
        assert self.failed == []


def look_at(entries: list[UUID]) -> Callable[[], None]:
    def look() -> None:
        for _ in range(3):
            for entry in entries:
                process_entry(entry)

    return look


def rival(nights: Nights, rooms: list[int]) -> Callable[[], None]:
    ways: list[Callable[[], object]] = [
        lambda: services.acquire_hold_of_type(room_type="double", nights=nights),
        lambda: services.acquire_hold(rooms=rooms[:2], nights=nights),
    ]

    def ask() -> None:
        for attempt in ways * 3:
            with suppress(*REFUSED):
                attempt()

    return ask


def release(hold: Hold) -> Callable[[], object]:
    return lambda: services.release_hold(hold.id, token=hold.token)


def test_the_first_in_line_have_the_rooms_whoever_asks_meanwhile(
    in_hotel: Hotel, rooms: list[int], nights: SomeNights
) -> None:
    crowd = Crowd(in_hotel)
    for number in range(ROUNDS):
        some = nights(1 + 2 * number, 2)
        holds = [services.acquire_hold(rooms=[room], nights=some) for room in rooms]
        entries = [create_entry(NewEntry(nights=some, room_type="double")).id for _ in range(5)]
        crowd.run(
            [release(hold) for hold in holds]
            + [look_at(entries), look_at(entries[::-1])]
            + [rival(some, rooms) for _ in range(3)]
        )
        for entry in entries:  # what is left to the workers
            process_entry(entry)
        states = dict(WaitingListEntry.objects.filter(id__in=entries).values_list("id", "status"))
        assert [states[entry] for entry in entries] == ["offered"] * 3 + ["waiting"] * 2, number
        live = Allocation.objects.filter(
            nights__overlap=(some.check_in, some.check_out), status=AllocationStatus.HELD
        )
        assert not live.filter(holder__startswith="key:rival").exists()
        assert live.count() == len(rooms)
    with connection.cursor() as cursor:
        cursor.execute(OVERLAPS)
        assert cursor.fetchone() == (0,)


@contextmanager
def elsewhere(hotel: Hotel, act: Callable[[], object]) -> Iterator[threading.Event]:
    """Another transaction that did this and is not committed until it is told to be."""
    done, commit = threading.Event(), threading.Event()

    def run() -> None:
        try:
            with hotel_context(hotel), transaction.atomic():
                act()
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


def test_who_joins_while_the_room_is_being_given_back_is_found_when_it_is_looked_at_again(
    in_hotel: Hotel, rooms: list[int], nights: SomeNights
) -> None:
    hold = services.acquire_hold(rooms=rooms[:1], nights=nights(1))
    with elsewhere(in_hotel, release(hold)):
        entry = create_entry(NewEntry(nights=nights(1), room=rooms[0]))
        assert entry.status == "waiting"
    process_entry(entry.id)
    entry.refresh_from_db()
    assert entry.status == "offered"


def test_a_release_that_comes_while_the_worker_looks_makes_the_entry_due_again(
    in_hotel: Hotel, rooms: list[int], nights: SomeNights
) -> None:
    hold = services.acquire_hold(rooms=rooms[:1], nights=nights(1))
    entry = create_entry(NewEntry(nights=nights(1), room=rooms[0]))
    with connection.cursor() as cursor:
        due = (
            "SELECT count(*) FROM public.tenants_dueitem WHERE item_id = %s AND claim_at <= clock_timestamp()"
        )
        with elsewhere(in_hotel, lambda: process_entry(entry.id)) as commit:
            given_back = threading.Thread(
                target=lambda: Crowd(in_hotel).run([release(hold)]),
            )
            given_back.start()
            commit.set()
            given_back.join(30)
        cursor.execute(due, [entry.id])
        assert cursor.fetchone() == (1,)


def test_a_worker_passes_over_a_room_that_somebody_is_at_work_on(
    in_hotel: Hotel, rooms: list[int], nights: SomeNights
) -> None:
    hold = services.acquire_hold(rooms=rooms[:1], nights=nights(1))
    entry = create_entry(NewEntry(nights=nights(1), room=rooms[0]))
    services.release_hold(hold.id, token=hold.token)
    with elsewhere(in_hotel, lambda: services.acquire_hold(rooms=rooms[:1], nights=nights(9))):
        process_entry(entry.id)
        entry.refresh_from_db()
        assert entry.status == "waiting"
    process_entry(entry.id)
    entry.refresh_from_db()
    assert entry.status == "offered"
