"""The stay as an iCalendar event (RFC 5545), for the guest's own calendar."""

from __future__ import annotations

import re
from datetime import UTC

from reminders.models import Reservation

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


def stay_ics(reservation: Reservation, *, hotel_name: str, uid: str) -> str:
    """An all-day event over the nights, transparent: it blocks nobody's working day.

    `uid` is the stay's own in each mail, so a calendar shows it once; SEQUENCE grows with changes. The text is what
    `icalendar` makes of it, at a small part of its cost.
    """
    changed = reservation.updated_at
    return _STAY.format(
        summary=_line("SUMMARY", hotel_name),
        arrival=reservation.arrival,
        departure=reservation.departure,
        stamp=changed.astimezone(UTC),
        uid=_line("UID", uid),
        sequence=int(changed.timestamp()) % 2**31,
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
