"""The hotel's stays as a calendar that anybody with its address may read: no guest stands in it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from django.db.models import Count, Max, QuerySet
from django.utils import timezone

from reminders.mail.calendar_attachment import sequence, stay_uid
from reminders.models import Reservation, ReservationStatus
from reminders.planning.schedule import hotel_time_zone, local_date
from tenants.context import Tenant

#: So long after the departure a stay is still shown, a cancelled one too: long enough for every reader to see it.
KEPT = timedelta(days=31)


def shown() -> QuerySet[Reservation]:
    """The stays of the calendar, by arrival."""
    today = local_date(timezone.now(), zone=hotel_time_zone())
    return Reservation.objects.filter(departure__gte=today - KEPT).order_by("arrival", "id")


def version(stays: QuerySet[Reservation]) -> str:
    """Another whenever the calendar is."""
    found = stays.order_by().aggregate(newest=Max("updated_at"), number=Count("id"))
    return f"{found['number']}-{found['newest']:%Y%m%dT%H%M%S.%f}" if found["number"] else "0"


def calendar(stays: Iterable[Reservation], *, hotel: Tenant) -> bytes:
    """RFC 5545: lines of 75 octets that end in CRLF. An event keeps its UID, and SEQUENCE grows with changes."""
    import icalendar  # noqa: PLC0415 - a tenth of a second that only who writes a calendar pays

    written = icalendar.Calendar()
    written.add("version", "2.0")
    written.add("prodid", "-//hotelagent//stays//EN")
    written.add("method", "PUBLISH")
    written.add("x-wr-calname", hotel.name)
    for stay in stays:
        is_cancelled = stay.status == ReservationStatus.CANCELLED
        event = icalendar.Event()
        event.add("uid", stay_uid(stay.id, hotel=hotel))
        event.add("dtstamp", stay.updated_at)
        event.add("sequence", sequence(stay))
        event.add("dtstart", stay.arrival)
        event.add("dtend", stay.departure)
        event.add("summary", f"{stay.external_id} {stay.room_type}".strip())
        event.add("status", "CANCELLED" if is_cancelled else "CONFIRMED")
        event.add("transp", "TRANSPARENT" if is_cancelled else "OPAQUE")
        written.add_component(event)
    content: bytes = written.to_ical()
    return content
