"""Fixtures for the tests of calendars: servers that imitate booking channels, and rooms with linked calendars."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from locks import services
from locks.models import Allocation, Room
from reminders.models import LinkedCalendar
from reminders.reservations.calendars import services as calendar_services
from tenants.models import Hotel
from tests.reminders.calendars.channel import Channel
from tests.web import serving

#: The nights of an allocation as two ISO dates.
Nights = tuple[str, str]


@pytest.fixture
def rooms(in_hotel: Hotel) -> list[Room]:
    """Return two rooms of the type `double`."""
    services.ensure_rooms({"double": 2})
    return list(Room.objects.all())


@pytest.fixture
def link(rooms: list[Room]) -> Iterator[Callable[..., tuple[LinkedCalendar, Channel]]]:
    """Return a function that starts a web server for a channel's calendar and links the calendar to a room."""
    with ExitStack() as channels:

        def link(content: bytes, *, room: int = 0, **options: Any) -> tuple[LinkedCalendar, Channel]:
            channel = channels.enter_context(serving(Channel(content)))
            calendar = calendar_services.link_calendar(
                room=rooms[room].id, name="Airbnb", url=channel.url, **options
            )
            return calendar, channel

        yield link


def sync(linked_calendar: LinkedCalendar) -> dict[str, Any]:
    """Import the linked calendar as a Celery worker does when the calendar is due, and return the import report."""
    calendar_services.sync_due_calendar(linked_calendar.id)
    linked_calendar.refresh_from_db()
    assert linked_calendar.error_message == ""
    return linked_calendar.report or {}


def nights(status: str, room: Room) -> list[Nights]:
    """Return the nights on which allocations with this status occupy the room, in ascending order."""
    rows = Allocation.objects.filter(status=status, room=room).order_by("nights")
    return [(f"{row.check_in}", f"{row.check_out}") for row in rows]
