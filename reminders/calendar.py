"""The stay as an iCalendar event (RFC 5545), for the guest's own calendar."""

from __future__ import annotations

from reminders.models import Reservation


def stay_ics(reservation: Reservation, *, hotel_name: str, uid: str) -> str:
    """An all-day event over the nights, transparent: it blocks nobody's working day.

    `uid` is the stay's own in each mail, so a calendar shows it once; SEQUENCE grows with changes.
    """
    import icalendar  # noqa: PLC0415 - a tenth of a second that only a process that writes mails pays

    event = icalendar.Event()
    event.add("uid", uid)
    event.add("dtstamp", reservation.updated_at)
    event.add("sequence", int(reservation.updated_at.timestamp()) % 2**31)
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
    written: bytes = calendar.to_ical()
    return written.decode()
