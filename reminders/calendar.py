"""The stay as an iCalendar event (RFC 5545), for the guest's own calendar.

Written out rather than built with the library: it is twelve fixed lines, and it is made once a mail.
"""

from __future__ import annotations

from datetime import UTC, datetime

from reminders.models import Reservation


def stay_ics(reservation: Reservation, *, hotel_name: str, uid: str) -> str:
    """An all-day event over the nights, transparent: it blocks nobody's working day.

    `uid` is the stay's own in each mail, so a calendar shows it once; SEQUENCE grows with changes.
    """
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//hotelagent//reminders//EN",
        "METHOD:PUBLISH",
        "BEGIN:VEVENT",
        f"UID:{uid}",
        f"DTSTAMP:{_utc(reservation.updated_at)}",
        f"SEQUENCE:{int(reservation.updated_at.timestamp()) % 2**31}",
        f"DTSTART;VALUE=DATE:{reservation.arrival:%Y%m%d}",
        f"DTEND;VALUE=DATE:{reservation.departure:%Y%m%d}",
        f"SUMMARY:{_escaped(hotel_name)}",
        f"DESCRIPTION:{_escaped(reservation.external_id)}",
        "TRANSP:TRANSPARENT",
        "END:VEVENT",
        "END:VCALENDAR",
    ]
    return "".join(f"{_folded(line)}\r\n" for line in lines)


def _utc(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def _escaped(text: str) -> str:
    for character in "\\;,":
        text = text.replace(character, f"\\{character}")
    return text.replace("\r\n", "\\n").replace("\n", "\\n")


def _folded(line: str) -> str:
    """At most 75 octets a line, without cutting a character in two (RFC 5545, 3.1)."""
    parts, part, size = [], "", 0
    for character in line:
        octets = len(character.encode())
        if size + octets > 75:
            parts.append(part)
            part, size = " ", 1
        part += character
        size += octets
    return "\r\n".join([*parts, part])
