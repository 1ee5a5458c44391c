"""The import of calendar events as reservations. Importing the same calendar again changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from django.db import transaction
from django.db.models.functions import Now
from django.utils.translation import gettext_noop as _

from hotelagent.core.messages import TranslatableMessage
from locks.nights import Nights
from locks.selectors import Clash, clashes
from locks.services import NewStay, add_stays
from reminders.errors import InvalidReservation
from reminders.local_time import hotel_time_zone
from reminders.models import Reservation, ReservationStatus
from reminders.reservations.calendars.ical_parser import CalendarEvent, RejectedEvent, parse_calendar
from reminders.reservations.services import ANY_VERSION, cancel_reservation, upsert_reservation

SOURCE = "iCalendar"

_Outcome = Literal["created", "updated", "cancelled", "unchanged"]


@dataclass(slots=True)
class CalendarReport:
    """The numbers of imported calendar events and the events that were rejected.

    `events` = created + updated + cancelled + unchanged + closures + rejected. `without_room`, `removed` and
    `closed_nights` are only set for linked calendars, because these belong to a room.
    """

    events: int = 0
    created: int = 0
    updated: int = 0
    cancelled: int = 0
    unchanged: int = 0
    closures: int = 0
    rejected: list[RejectedEvent] = field(default_factory=list)
    #: Bookings that were imported without a stay, because the room is not available.
    without_room: list[RejectedEvent] = field(default_factory=list)
    removed: int = 0  # bookings that are missing from the calendar and were cancelled
    closed_nights: int = 0


def import_calendar(content: bytes) -> CalendarReport:
    """Import the events of an iCalendar file as reservations without a room. Raises InvalidFile.

    Reservations that are missing from the file are not changed, because many feeds omit past events.
    """
    return import_events(parse_calendar(content, zone=hotel_time_zone()))


def import_events(
    events: Sequence[CalendarEvent | RejectedEvent], *, room: int | None = None
) -> CalendarReport:
    """Create, update and cancel reservations according to the events, each in a separate transaction.

    An existing reservation takes only its dates and its cancellation from the calendar. Its guest data is kept. If
    `room` is given, every booking gets a stay in this room. If the room is not available on these nights, the
    reservation is stored without a stay and listed in `without_room`.
    """
    report = CalendarReport()
    for event in events:
        report.events += 1
        if isinstance(event, RejectedEvent):
            report.rejected.append(event)
        elif event.is_closure:
            report.closures += 1
        else:
            try:
                outcome = _store(event)
                conflict = None if room is None else _assign_room(event.number, room)
            except InvalidReservation as error:
                report.rejected.append(RejectedEvent(event.number, _reason(error)))
            else:
                if conflict is not None:
                    report.without_room.append(RejectedEvent(event.number, conflict))
                setattr(report, outcome, getattr(report, outcome) + 1)
    return report


def _store(event: CalendarEvent) -> _Outcome:
    with transaction.atomic():
        stored = Reservation.objects.select_for_update(of=("self",)).filter(external_id=event.number).first()
        if event.is_cancelled:
            if stored is None or stored.status in {
                ReservationStatus.CANCELLED,
                ReservationStatus.CHECKED_OUT,
            }:
                return "unchanged"
            cancel_reservation(reservation_id=stored.id)
            return "cancelled"
        changes: dict[str, Any] = {"arrival": event.arrival, "departure": event.departure}
        if stored is None:
            guest = {"guest_name": event.guest_name, "guest_email": event.guest_email, "source": SOURCE}
            upsert_reservation(external_id=event.number, **(changes | guest))
            return "created"
        if stored.status == ReservationStatus.CANCELLED:
            changes |= {"status": ReservationStatus.BOOKED, "status_date": None}
        elif (stored.arrival, stored.departure) == (event.arrival, event.departure):
            return "unchanged"
        upsert_reservation(
            external_id=event.number, version=ANY_VERSION, **(_current_fields(stored) | changes)
        )
        return "updated"


def _reason(error: InvalidReservation) -> str:
    """Return the first validation message. The field name is left out, because calendars name fields differently."""
    first: list[str] = next(iter(error.extra["errors"].values()))
    return first[0]


def _assign_room(number: str, room: int) -> str | None:
    """Add a stay in the room to a reservation without a stay. If the room is not available, return the reason."""
    with transaction.atomic():
        stored = (
            Reservation.objects.select_for_update(of=("self",))
            .filter(external_id=number, stay=None)
            .exclude(status=ReservationStatus.CANCELLED)
            .first()
        )
        if stored is None:
            return None
        placement = NewStay(room, stored.arrival, stored.departure, reference=number)
        if not add_stays([placement]).added:
            nights = Nights(stored.arrival, stored.departure, limit=stored.nights)
            return _conflict_message(clashes(rooms=[room], nights=nights))
        Reservation.objects.filter(id=stored.id).update(stay=placement.id, updated_at=Now())
    return None


def _conflict_message(conflicts: Sequence[Clash]) -> str:
    if not conflicts:
        return ""
    return TranslatableMessage(
        _("Room {room} is not available between {check_in} and {check_out}."),
        room=conflicts[0].number,
        check_in=conflicts[0].check_in.isoformat(),
        check_out=conflicts[-1].check_out.isoformat(),
    )


_KEPT_FIELDS = (
    "guest_name", "guest_email", "guest_phone", "language", "country", "adults", "children", "room_type", "source",
    "status", "booked_on", "status_date",
)  # fmt: skip


def _current_fields(reservation: Reservation) -> dict[str, Any]:
    return {name: getattr(reservation, name) for name in _KEPT_FIELDS}
