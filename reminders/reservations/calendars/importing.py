"""Stores what a channel manager's calendar says. It may be brought in again and again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.db.models.functions import Now
from django.utils.translation import gettext_noop as _

from hotelagent.core.messages import TranslatableMessage
from locks.nights import Nights
from locks.selectors import Clash, clashes
from locks.services import Placement, place_stays
from reminders.errors import InvalidReservation
from reminders.models import Reservation, ReservationStatus
from reminders.planning.schedule import hotel_time_zone
from reminders.reservations.calendars.parsing import Event, Refused, read
from reminders.reservations.services import ANY_VERSION, cancel_reservation, upsert_reservation

SOURCE = "iCalendar"


@dataclass(slots=True)
class CalendarReport:
    """Events = stored + changed + cancelled + unchanged + blocks + refused."""

    events: int = 0
    stored: int = 0
    changed: int = 0
    cancelled: int = 0
    unchanged: int = 0
    blocks: int = 0  # nights that a channel closed: nobody comes
    refused: list[Refused] = field(default_factory=list)
    without_room: list[Refused] = field(default_factory=list)  # stored, but the room is taken
    vanished: int = 0  # gone from a room's calendar, and cancelled
    closed: int = 0  # nights on which the room is closed, because its calendar says so


def import_calendar(content: bytes) -> CalendarReport:
    """Make the hotel's reservations what the calendar says: see `import_events`. Raises InvalidFile.

    An event that is no longer in the calendar changes nothing: a feed also leaves out what is past.
    """
    return import_events(read(content, zone=hotel_time_zone()))


def import_events(events: Sequence[Event | Refused], *, room: int | None = None) -> CalendarReport:
    """Make the hotel's reservations what the calendar says, each in a transaction of its own.

    A reservation that is there gets its days and whether it is cancelled from the calendar; what the hotel knows of
    the guest stays. With `room`, who comes stays in that room: where it is taken on those nights the booking is
    stored, and named in `without_room`.
    """
    report = CalendarReport()
    for found in events:
        report.events += 1
        if isinstance(found, Refused):
            report.refused.append(found)
        elif found.is_block:
            report.blocks += 1
        else:
            try:
                outcome = _store(found)
                clash = None if room is None else _give_room(found.number, room)
            except InvalidReservation as error:
                report.refused.append(Refused(found.number, _flaw(error)))
            else:
                if clash is not None:
                    report.without_room.append(Refused(found.number, clash))
                setattr(report, outcome, getattr(report, outcome) + 1)
    return report


def _store(event: Event) -> str:
    """The name of what was done, as the report counts it."""
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
        days: dict[str, Any] = {"arrival": event.arrival, "departure": event.departure}
        if stored is None:
            guest = {"guest_name": event.guest_name, "guest_email": event.guest_email, "source": SOURCE}
            upsert_reservation(external_id=event.number, **(days | guest))
            return "stored"
        if stored.status == ReservationStatus.CANCELLED:
            days |= {"status": ReservationStatus.BOOKED, "status_date": None}
        elif (stored.arrival, stored.departure) == (event.arrival, event.departure):
            return "unchanged"
        upsert_reservation(external_id=event.number, version=ANY_VERSION, **(_as_it_is(stored) | days))
        return "changed"


def _flaw(error: InvalidReservation) -> str:
    """Without the field's name: it is the calendar's, and what is wrong names what it means."""
    first: list[str] = next(iter(error.extra["errors"].values()))
    return first[0]


def _give_room(number: str, room: int) -> str | None:
    """What stands in the way, if anything does."""
    with transaction.atomic():
        stored = (
            Reservation.objects.select_for_update(of=("self",))
            .filter(external_id=number, stay=None)
            .exclude(status=ReservationStatus.CANCELLED)
            .first()
        )
        if stored is None:
            return None
        wanted = Placement(room, stored.arrival, stored.departure, reference=number)
        if not place_stays([wanted]).placed:
            nights = Nights(stored.arrival, stored.departure, limit=stored.nights)
            return _in_the_way(clashes(rooms=[room], nights=nights))
        Reservation.objects.filter(id=stored.id).update(stay=wanted.id, updated_at=Now())
    return None


def _in_the_way(found: Sequence[Clash]) -> str:
    if not found:
        return ""
    nights = {"check_in": found[0].check_in.isoformat(), "check_out": found[-1].check_out.isoformat()}
    return TranslatableMessage(
        _("Room {room} is taken between {check_in} and {check_out}."), room=found[0].number, **nights
    )


_KEPT = (
    "guest_name", "guest_email", "guest_phone", "language", "country", "adults", "children", "room_type", "source",
    "status", "booked_on", "status_date",
)  # fmt: skip


def _as_it_is(reservation: Reservation) -> dict[str, Any]:
    return {name: getattr(reservation, name) for name in _KEPT}
