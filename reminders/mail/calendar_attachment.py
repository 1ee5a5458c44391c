"""The stay as an iCalendar file (RFC 5545), which guests can add to their calendars."""

from __future__ import annotations

from datetime import UTC
from uuid import UUID

from django.conf import settings

from reminders.models import Reservation
from tenants.context import Tenant

# Calendars are built from this template. Building a calendar with the icalendar library takes four times as long.
_CALENDAR = """\
BEGIN:VCALENDAR\r
VERSION:2.0\r
PRODID:-//hotelagent//reminders//EN\r
METHOD:PUBLISH\r
BEGIN:VEVENT\r
{uid}\r
DTSTAMP:{stamp:%Y%m%dT%H%M%SZ}\r
SEQUENCE:{sequence}\r
DTSTART;VALUE=DATE:{arrival:%Y%m%d}\r
DTEND;VALUE=DATE:{departure:%Y%m%d}\r
{summary}\r
{description}\r
TRANSP:TRANSPARENT\r
END:VEVENT\r
END:VCALENDAR\r
"""


def hotel_key(hotel: Tenant) -> str:
    """Return the unique key of a hotel. The slug is not used, because a new hotel can get a deleted hotel's slug."""
    return hotel.id.hex if hotel.id else hotel.schema


def stay_uid(reservation_id: UUID, *, hotel: Tenant) -> str:
    """Return the UID of a stay. E-mails and the calendar feed use the same UID, so calendars show only one event."""
    return f"{reservation_id.hex}.{hotel_key(hotel)}@{settings.PLATFORM_HOST}"


def sequence(reservation: Reservation) -> int:
    """Return the iCalendar SEQUENCE of the stay. The number grows with each change of the reservation."""
    return int(reservation.updated_at.timestamp()) % 2**31


def stay_calendar(reservation: Reservation, *, hotel_name: str, uid: str) -> str:
    """Return a calendar with one all-day event that covers the nights of the stay.

    The event is transparent, so it does not mark the guest as busy. `uid` is the result of `stay_uid`.
    """
    return _CALENDAR.format(
        uid=_text_property("UID", uid),
        stamp=reservation.updated_at.astimezone(UTC),
        sequence=sequence(reservation),
        arrival=reservation.arrival,
        departure=reservation.departure,
        summary=_text_property("SUMMARY", hotel_name),
        description=_text_property("DESCRIPTION", reservation.external_id),
    )


def _text_property(name: str, text: str) -> str:
    """Return an iCalendar property as text. The value is escaped, and long lines are folded."""
    # Import icalendar here, because its import takes 0.1 seconds and only workers that send messages need icalendar.
    from icalendar import vText  # noqa: PLC0415
    from icalendar.parser import Contentline, Parameters  # noqa: PLC0415

    line: bytes = Contentline.from_parts(name, Parameters(), vText(text)).to_ical()
    return line.decode()
