"""The stay as an iCalendar file (RFC 5545), which guests can add to their calendars."""

from __future__ import annotations

from uuid import UUID

import icalendar
from django.conf import settings

from reminders.models import Reservation
from tenants.context import Tenant


def hotel_key(hotel: Tenant) -> str:
    """Return a key of the hotel that is never used again. A slug can be, after a hotel was deleted."""
    return hotel.id.hex if hotel.id else hotel.schema


def stay_uid(reservation_id: UUID, *, hotel: Tenant) -> str:
    """Return the UID of a stay. E-mails and the hotel's calendar feed share it, so calendars show one event."""
    return f"{reservation_id.hex}.{hotel_key(hotel)}@{settings.PLATFORM_HOST}"


def sequence(reservation: Reservation) -> int:
    """Return the SEQUENCE property, which grows with each change of the reservation."""
    return int(reservation.updated_at.timestamp()) % 2**31


def stay_calendar(reservation: Reservation, *, hotel_name: str, uid: str) -> str:
    """Return a calendar with one all-day event over the nights of the stay.

    The event is transparent, so it does not mark the guest as busy. `uid` is the `stay_uid`.
    """
    event = icalendar.Event()
    event.add("uid", uid)
    event.add("dtstamp", reservation.updated_at)
    event.add("sequence", sequence(reservation))
    event.add("dtstart", reservation.arrival)
    event.add("dtend", reservation.departure)
    event.add("summary", hotel_name)
    event.add("description", reservation.external_id)
    event.add("transp", "TRANSPARENT")
    calendar = icalendar.Calendar()
    calendar.add("version", "2.0")
    calendar.add("prodid", "-//hotelagent//reminders//EN")
    calendar.add("method", "PUBLISH")
    calendar.add_component(event)
    text: bytes = calendar.to_ical()
    return text.decode()
