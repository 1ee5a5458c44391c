"""The hotel's stays as an iCalendar feed. The feed contains no guest data, because its URL is often shared."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from django.db.models import Count, Max, QuerySet
from django.utils import timezone

from reminders.local_time import hotel_time_zone, local_date
from reminders.mail.calendar_attachment import sequence, stay_uid
from reminders.models import Reservation, ReservationStatus
from tenants.context import Tenant

#: The time for which stays remain in the feed after the departure, so that calendar apps see late changes.
RETENTION = timedelta(days=31)


def feed_stays() -> QuerySet[Reservation]:
    """Return the reservations that the calendar feed contains, ordered by arrival."""
    today = local_date(timezone.now(), zone=hotel_time_zone())
    return Reservation.objects.filter(departure__gte=today - RETENTION).order_by("arrival", "id")


def feed_version(stays: QuerySet[Reservation]) -> str:
    """Return a version of the feed for its ETag. The version changes whenever the feed changes."""
    row = stays.order_by().aggregate(newest=Max("updated_at"), number=Count("id"))
    return f"{row['number']}-{row['newest']:%Y%m%dT%H%M%S.%f}" if row["number"] else "0"


def render_feed(stays: Iterable[Reservation], *, hotel: Tenant) -> bytes:
    """Return the stays as an iCalendar file. An event's UID never changes, and its SEQUENCE grows with each change."""
    import icalendar  # noqa: PLC0415 - takes 0.1 seconds, which processes without calendars should not pay

    feed = icalendar.Calendar()
    feed.add("version", "2.0")
    feed.add("prodid", "-//hotelagent//stays//EN")
    feed.add("method", "PUBLISH")
    feed.add("x-wr-calname", hotel.name)
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
        feed.add_component(event)
    content: bytes = feed.to_ical()
    return content
