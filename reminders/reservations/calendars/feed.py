"""The availability of rooms as an iCalendar feed.

The feed contains all nights on which a room is occupied, so that channels don't sell these nights. The feed contains no
guest data, because the URL of the feed is often shared.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db.models import Max
from django.utils import timezone
from django.utils.translation import gettext

from locks.allocations.occupancy import merge_spans
from locks.errors import RoomNotFound
from locks.models import Allocation, AllocationStatus, Room
from locks.selectors import occupying_allocations
from reminders import local_time
from reminders.mail.calendar_attachment import hotel_key, sequence, stay_uid
from reminders.models import NEEDS_ROOM, Reservation
from tenants.context import current_hotel

#: Stays remain in the feed for this long after departure, so that calendar apps also show recent stays.
RETENTION = timedelta(days=31)
#: Event titles that channels understand. Airbnb uses the same titles, and hotelagent's import recognizes them.
_RESERVED, _NOT_AVAILABLE = "Reserved", "Not available"


@dataclass(frozen=True, slots=True)
class FeedEvent:
    """An event of the feed: nights that are not for sale.

    `changed_at` is the time of the last change.
    """

    uid: str
    check_in: date
    check_out: date
    changed_at: datetime
    summary: str
    location: str
    sequence: int = 0


def hotel_feed() -> bytes:
    """Return the occupied nights of all rooms, and the nights of reservations without a room."""
    since = local_time.today() - RETENTION
    unassigned = Reservation.objects.filter(stay=None, status__in=NEEDS_ROOM, departure__gt=since)
    events = [
        *_allocation_events(occupying_allocations(since=since).select_related("room", "reservation")),
        *(_reservation_event(reservation) for reservation in unassigned),
    ]
    return _render(events)


def room_feed(room_id: int) -> bytes:
    """Return the nights on which the room is occupied. Raises RoomNotFound."""
    if not Room.objects.filter(id=room_id).exists():
        raise RoomNotFound(gettext("There is no room with the id {}.").format(room_id), rooms=[room_id])
    allocations = occupying_allocations(since=local_time.today() - RETENTION).filter(room=room_id)
    return _render(_allocation_events(allocations.select_related("room", "reservation")))


def room_type_feed(room_type: str) -> bytes:
    """Return a calendar feed with the nights, from today, on which no room of the type is free.

    A reservation without an assigned room also counts as one room of its type. Raises RoomNotFound if the hotel has no
    room of the type.
    """
    number_of_rooms = Room.objects.filter(room_type=room_type).count()
    if not number_of_rooms:
        raise RoomNotFound(gettext("There is no room of the type {}.").format(room_type), rooms=[])
    today = local_time.today()
    allocations = occupying_allocations(since=today).filter(room__room_type=room_type)
    unassigned = Reservation.objects.filter(
        stay=None, status__in=NEEDS_ROOM, room_type=room_type, departure__gt=today
    )
    needed = Counter[date]()
    for check_in, check_out in [
        *((allocation.check_in, allocation.check_out) for allocation in allocations),
        *unassigned.values_list("arrival", "departure"),
    ]:
        first = max(check_in, today)
        needed.update(first + timedelta(days=day) for day in range((check_out - first).days))
    sold_out = merge_spans(
        (night, night + timedelta(days=1)) for night, rooms in needed.items() if rooms >= number_of_rooms
    )
    hotel = current_hotel()
    changes = (
        allocations.aggregate(at=Max("created_at"))["at"],
        unassigned.aggregate(at=Max("updated_at"))["at"],
    )
    changed_at = max(filter(None, changes), default=timezone.now())
    return _render(
        FeedEvent(
            uid=f"{check_in:%Y%m%d}.{room_type.encode().hex()}.{hotel_key(hotel)}",
            check_in=check_in,
            check_out=check_out,
            changed_at=changed_at,
            summary=_NOT_AVAILABLE,
            location=room_type,
        )
        for check_in, check_out in sold_out
    )


def _allocation_events(allocations: Iterable[Allocation]) -> Iterator[FeedEvent]:
    hotel = current_hotel()
    for allocation in allocations:
        reservation: Reservation | None = getattr(allocation, "reservation", None)
        is_stay = allocation.status == AllocationStatus.CONFIRMED
        yield FeedEvent(
            uid=stay_uid(reservation.id if reservation else allocation.id, hotel=hotel),
            check_in=allocation.check_in,
            check_out=allocation.check_out,
            changed_at=reservation.updated_at if reservation else allocation.created_at,
            summary=_RESERVED if is_stay else _NOT_AVAILABLE,
            location=f"{allocation.room.number} {allocation.room.room_type}".strip(),
            sequence=sequence(reservation) if reservation else 0,
        )


def _reservation_event(reservation: Reservation) -> FeedEvent:
    return FeedEvent(
        uid=stay_uid(reservation.id, hotel=current_hotel()),
        check_in=reservation.arrival,
        check_out=reservation.departure,
        changed_at=reservation.updated_at,
        summary=_RESERVED,
        location=reservation.room_type,
        sequence=sequence(reservation),
    )


def _render(events: Iterable[FeedEvent]) -> bytes:
    """Return the events as an iCalendar file. Equal events give the same file, so the file's digest can be the ETag."""
    import icalendar  # noqa: PLC0415 - takes 0.1 seconds, which processes without calendars should not pay

    feed = icalendar.Calendar()
    feed.add("version", "2.0")
    feed.add("prodid", "-//hotelagent//availability//EN")
    feed.add("method", "PUBLISH")
    feed.add("x-wr-calname", current_hotel().name)
    for nights in sorted(events, key=lambda event: (event.check_in, event.location, event.uid)):
        event = icalendar.Event()
        event.add("uid", nights.uid)
        event.add("dtstamp", nights.changed_at)
        event.add("sequence", nights.sequence)
        event.add("dtstart", nights.check_in)
        event.add("dtend", nights.check_out)
        event.add("summary", nights.summary)
        if nights.location:
            event.add("location", nights.location)
        event.add("status", "CONFIRMED")
        event.add("transp", "OPAQUE")
        feed.add_component(event)
    content: bytes = feed.to_ical()
    return content
