"""The stay as an iCalendar event (RFC 5545), for the guest's own calendar."""

from __future__ import annotations

import re
from datetime import UTC
from uuid import UUID

from django.conf import settings

from reminders.models import Reservation
from tenants.context import Tenant

_STAY = """\
BEGIN:VCALENDAR\r
VERSION:2.0\r
PRODID:-//hotelagent//reminders//EN\r
METHOD:PUBLISH\r
BEGIN:VEVENT\r
{summary}DTSTART;VALUE=DATE:{arrival:%Y%m%d}\r
DTEND;VALUE=DATE:{departure:%Y%m%d}\r
DTSTAMP:{stamp:%Y%m%dT%H%M%SZ}\r
{uid}SEQUENCE:{sequence}\r
{description}TRANSP:TRANSPARENT\r
END:VEVENT\r
END:VCALENDAR\r
"""
_NEEDS_NO_ESCAPE = re.compile(r"[\w@.:/ -]*", re.ASCII)
_LINE = 74  # octets that the library puts on a line


def hotel_key(hotel: Tenant) -> str:
    """What tells hotels apart: their slugs may be used again once one is erased."""
    return hotel.id.hex if hotel.id else hotel.schema


def stay_uid(reservation_id: UUID, *, hotel: Tenant) -> str:
    """The stay's own in each mail and in the hotel's feed, so a calendar shows it once."""
    return f"{reservation_id.hex}.{hotel_key(hotel)}@{settings.PLATFORM_HOST}"


def sequence(reservation: Reservation) -> int:
    """SEQUENCE: grows with changes."""
    return int(reservation.updated_at.timestamp()) % 2**31


def stay_ics(reservation: Reservation, *, hotel_name: str, uid: str) -> str:
    """An all-day event over the nights, transparent: it blocks nobody's working day.

    `uid`: `stay_uid`. The text is what `icalendar` makes of it, at a small part of its cost.
    """
    return _STAY.format(
        summary=_line("SUMMARY", hotel_name),
        arrival=reservation.arrival,
        departure=reservation.departure,
        stamp=reservation.updated_at.astimezone(UTC),
        uid=_line("UID", uid),
        sequence=sequence(reservation),
        description=_line("DESCRIPTION", reservation.external_id),
    )


def _line(name: str, value: str) -> str:
    if _NEEDS_NO_ESCAPE.fullmatch(value):
        line = f"{name}:{value}"
        folded = [line[at : at + _LINE] for at in range(0, len(line), _LINE)]
        return "\r\n ".join(folded) + "\r\n"
    import icalendar  # noqa: PLC0415 - a tenth of a second that only a process that needs it pays

    written = icalendar.Event()
    written.add(name, value)
    only: bytes = written.content_lines()[1].to_ical()
    return f"{only.decode()}\r\n"
