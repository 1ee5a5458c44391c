"""Tests that a process killed at any statement leaves either an operation with its audit events, or neither.

A forked process runs the operation and kills itself with SIGKILL before or after one of its statements, or after the
commit. The tests repeat this for each of these points, until the operation ends without reaching the point.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count
from typing import Any

import pytest
from django.db import connection, transaction

from audit.events import ACCESS_DENIED
from audit.models import Event
from audit.services import record, record_in_own_transaction
from locks import events
from locks.allocations.rooms import NewRoom, create_room
from locks.errors import RoomNumberConflict
from locks.models import Room
from tenants import services
from tenants.context import hotel_context, platform_context
from tenants.models import Hotel, HotelStatus
from tests.dlq.forks import kill_this_process, run_in_fork

pytestmark = pytest.mark.django_db(transaction=True)


class Killer:
    """A wrapper of database statements that kills this process before or after a statement."""

    def __init__(self, point: int) -> None:
        self.point = point
        self.passed = 0

    def __call__(self, execute: Callable[..., Any], *arguments: Any) -> Any:
        self.pass_point()
        result = execute(*arguments)
        self.pass_point()
        return result

    def pass_point(self) -> None:
        if self.passed == self.point:
            kill_this_process()
        self.passed += 1


def kill_at_each_point(hotel: Hotel, act: Callable[[str], object]) -> Iterator[str]:
    """Call `act(point)` in a new process for each point at which the process is killed. Yield each point.

    The process of the last point is not killed.
    """

    def run(point: int) -> None:
        killer = Killer(point)
        with connection.execute_wrapper(killer):
            act(str(point))
        killer.pass_point()

    for point in count():
        killed = run_in_fork(hotel, lambda point=point: run(point))  # type: ignore[misc]
        yield str(point)
        if not killed:
            return


def rooms_and_events() -> tuple[set[str], set[str]]:
    """Return two sets: the room numbers that the test stored, and the room numbers in the audit events."""
    rooms = set(Room.objects.filter(floor=99).values_list("number", flat=True))
    created = Event.objects.filter(event="room.created", data__floor=99)
    return rooms, {event.data["number"] for event in created}


def add_room(number: str) -> Room:
    return create_room(NewRoom(number=number, room_type="A", floor=99))


def add_room_and_record_later(number: str) -> None:
    """Create a room, and record the event after the commit. The tests use this function as a negative control."""
    with transaction.atomic():
        room = Room.objects.create(number=number, room_type="A", floor=99, capacity=2)
    record(events.ROOM_CREATED, subject=("room", room.pk), number=number, room_type="A", floor=99, capacity=2)


def test_operation_killed_at_any_statement_is_committed_with_its_event_or_not_at_all(hotel: Hotel) -> None:
    points = list(kill_at_each_point(hotel, add_room))
    with hotel_context(hotel):
        rooms, recorded = rooms_and_events()
    assert rooms == recorded
    # The last two processes were killed after the commit.
    assert {points[-2], points[-1]} <= rooms < set(points)
    later = list(kill_at_each_point(hotel, lambda point: add_room_and_record_later(f"L{point}")))
    assert later
    with hotel_context(hotel):
        rooms, recorded = rooms_and_events()
    assert rooms - recorded  # negative control: some rooms have no event


def test_denied_operation_killed_at_any_statement_leaves_at_most_the_denial_event(hotel: Hotel) -> None:
    def deny(number: str) -> None:
        with suppress(RoomNumberConflict), transaction.atomic():
            add_room(number)
            record_in_own_transaction(ACCESS_DENIED, permission=number, method="", route="", arguments={})
            add_room(number)

    points = list(kill_at_each_point(hotel, deny))
    with hotel_context(hotel):
        assert rooms_and_events() == (set(), set())
        denied = Event.objects.filter(event="access.denied", data__method="")
        denials = [event.data["permission"] for event in denied]
    assert len(denials) == len(set(denials)) < len(points)
    assert {points[-2], points[-1]} <= set(denials)


def test_suspension_killed_at_any_statement_is_in_both_trails_or_in_none(hotel: Hotel) -> None:
    for _point in kill_at_each_point(hotel, lambda _point: services.suspend_hotel(hotel_id=hotel.id)):
        trails = []
        for context in (hotel_context(hotel), platform_context()):
            with context:
                trails.append(Event.objects.filter(event="hotel.suspended").count())
        with platform_context():
            is_suspended = Hotel.objects.get(id=hotel.id).status == HotelStatus.SUSPENDED
        assert trails == ([1, 1] if is_suspended else [0, 0])
        if is_suspended:
            return
    pytest.fail("The hotel was not suspended.")
