"""What can be read about reservations and reminders."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import QuerySet
from django.utils import timezone

from hotelagent.core.text import single_line
from reminders.errors import ReservationNotFound
from reminders.local_time import hotel_time_zone
from reminders.models import Reminder, Reservation, Suppression
from tenants.context import current_hotel


def reminders() -> QuerySet[Reminder]:
    return Reminder.objects.select_related("reservation", "rule")


def is_suppressed(address: str) -> bool:
    """Return whether the address is on the suppression list. The list stores addresses in lower case."""
    return Suppression.objects.filter(email=address.lower()).exists()


def reservation_by_number(external_id: str) -> Reservation:
    """`external_id` as it was given when it was stored. Raises ReservationNotFound."""
    external_id = single_line(external_id)
    found = Reservation.objects.select_related("stay__room").filter(external_id=external_id).first()
    if found is None:
        raise ReservationNotFound(f"There is no reservation {external_id} here.")
    return found


@dataclass(frozen=True, slots=True)
class Moment:
    """One line of a reservation's timeline; the time is UTC."""

    at: datetime
    reminder: Reminder

    @property
    def error(self) -> str:
        return self.reminder.error_message


def timeline(*, reservation_id: uuid.UUID) -> list[Moment]:
    """What went, what will go and what does not, in the order of time."""
    found = reminders().filter(reservation_id=reservation_id)
    return sorted((Moment(r.sent_at or r.planned_for, r) for r in found), key=lambda moment: moment.at)


@dataclass(frozen=True, slots=True)
class Day:
    """How many reminders were to go on a day at the hotel (not those skipped), and what became of them."""

    day: date
    planned: int
    sent: int
    troubled: int  # failed or unknown


_AROUND = 7  # days
_BY_DAY = """
SELECT (planned_for AT TIME ZONE %(zone)s)::date AS day, count(*) FILTER (WHERE status NOT IN ('cancelled', 'skipped')),
    count(*) FILTER (WHERE status = 'sent'), count(*) FILTER (WHERE status IN ('failed', 'unknown'))
FROM reminders_reminder WHERE planned_for >= %(since)s AND planned_for < %(until)s GROUP BY day
"""


def by_day() -> list[Day]:
    """Every day from a week ago to a week ahead. One walk along the index on planned_for."""
    now = timezone.now()
    values: dict[str, Any] = {
        "zone": current_hotel().time_zone,
        "since": now - timedelta(days=_AROUND + 1),
        "until": now + timedelta(days=_AROUND + 1),
    }
    with connection.cursor() as cursor:
        cursor.execute(_BY_DAY, values)
        found = {day: Day(day, planned, sent, troubled) for day, planned, sent, troubled in cursor.fetchall()}
    today = now.astimezone(hotel_time_zone()).date()
    days = (today + timedelta(days=n) for n in range(-_AROUND, _AROUND + 1))
    return [found.get(day, Day(day, 0, 0, 0)) for day in days]


@dataclass(frozen=True, slots=True)
class Standing:
    """How reminders stand now. `late` are scheduled ones whose moment passed more than five minutes ago."""

    due_today: int
    sent_today: int
    late: int
    unknown: int


_STANDING = """
SELECT count(*) FILTER (WHERE status IN ('scheduled', 'sending')),
    count(*) FILTER (WHERE status = 'sent'),
    count(*) FILTER (WHERE status = 'scheduled' AND planned_for < %(now)s - interval '5 minutes'),
    count(*) FILTER (WHERE status = 'unknown')
FROM reminders_reminder
WHERE planned_for >= %(now)s - interval '3 days' AND (planned_for AT TIME ZONE %(zone)s)::date
    <= (%(now)s::timestamptz AT TIME ZONE %(zone)s)::date AND planned_for < %(now)s + interval '1 day'
"""


def standing() -> Standing:
    """Of the last three days, up to the end of today at the hotel."""
    with connection.cursor() as cursor:
        cursor.execute(_STANDING, {"now": timezone.now(), "zone": current_hotel().time_zone})
        return Standing(*cursor.fetchone())
