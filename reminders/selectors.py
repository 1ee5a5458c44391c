"""Queries about reservations and reminders."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db import connection
from django.db.models import OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from hotelagent.core.text import single_line
from locks.models import Allocation, AllocationStatus
from reminders.errors import ReservationNotFound
from reminders.local_time import hotel_time_zone, local_date
from reminders.models import Reminder, Reservation, Suppression
from tenants.context import current_hotel


def reminders() -> QuerySet[Reminder]:
    """Return a query set of all reminders, with their reservations and rules loaded."""
    return Reminder.objects.select_related("reservation", "rule")


def stays_of(reservation_id: Any, *, stay_id: Any) -> QuerySet[Allocation]:
    """Return the stays of a reservation: the stay of its first room, and the stays of its further rooms.

    The ids can also be references to the columns of an outer query.
    """
    return Allocation.objects.filter(
        Q(id=stay_id) | Q(group_id=reservation_id), status=AllocationStatus.CONFIRMED
    )


def stay_ids_of(reservations: Collection[Reservation]) -> dict[uuid.UUID, list[uuid.UUID]]:
    """Return the ids of the stays of each reservation, by the id of the reservation. Runs one query."""
    by_stay = {reservation.stay_id: reservation.id for reservation in reservations if reservation.stay_id}
    found: dict[Any, list[uuid.UUID]] = {reservation.id: [] for reservation in reservations}
    if not found:
        return found
    stays = Allocation.objects.filter(
        Q(id__in=by_stay) | Q(group_id__in=found), status=AllocationStatus.CONFIRMED
    )
    for id_, group_id in stays.order_by("id").values_list("id", "group_id"):
        found[by_stay.get(id_) or group_id].append(id_)
    return found


def reservations_of_stays(stays: Any) -> QuerySet[Reservation]:
    """Return the reservations that have one of the stays. `stays` are ids, or a query set of ids."""
    # The ids are read first, because PostgreSQL uses no index for conditions with OR and subqueries.
    rows = list(Allocation.objects.filter(id__in=stays).values_list("id", "group_id"))
    groups = [group_id for _id, group_id in rows if group_id]
    return Reservation.objects.filter(Q(stay__in=[id_ for id_, _group_id in rows]) | Q(id__in=groups))


def reservations() -> QuerySet[Reservation]:
    """Return a query set of all reservations. `room_numbers` contains the numbers of the rooms of their stays."""
    stays = stays_of(OuterRef("pk"), stay_id=OuterRef("stay_id")).order_by("room_id")
    return Reservation.objects.annotate(room_numbers=ArraySubquery(stays.values("room__number")))


def is_suppressed(address: str) -> bool:
    """Return whether the address is on the suppression list. The list stores addresses in lower case."""
    return Suppression.objects.filter(email=address.lower()).exists()


def reservation_by_number(external_id: str) -> Reservation:
    """Return the reservation with this PMS number. Raises ReservationNotFound."""
    external_id = single_line(external_id)  # the stored form of the number
    reservation = reservations().filter(external_id=external_id).first()
    if reservation is None:
        raise ReservationNotFound(
            _("There is no reservation with the number {number}.").format(number=external_id)
        )
    return reservation


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """A reminder in the timeline of a reservation, at the time at which it was or will be sent (UTC)."""

    at: datetime
    reminder: Reminder


def timeline(*, reservation_id: uuid.UUID) -> list[TimelineEntry]:
    """Return all reminders of a reservation, ordered by time."""
    entries = (
        TimelineEntry(reminder.sent_at or reminder.planned_for, reminder)
        for reminder in reminders().filter(reservation_id=reservation_id)
    )
    return sorted(entries, key=lambda entry: entry.at)


@dataclass(frozen=True, slots=True)
class DailyCounts:
    """The number of reminders planned for one local date, by outcome.

    Skipped and cancelled reminders are not counted.
    """

    day: date
    planned: int
    sent: int
    failed_or_unknown: int


_DAYS_AROUND_TODAY = 7
_DAILY_COUNTS = """
SELECT (planned_for AT TIME ZONE %(zone)s)::date AS day, count(*) FILTER (WHERE status NOT IN ('cancelled', 'skipped')),
    count(*) FILTER (WHERE status = 'sent'), count(*) FILTER (WHERE status IN ('failed', 'unknown'))
FROM reminders_reminder WHERE planned_for >= %(since)s AND planned_for < %(until)s GROUP BY day
"""


def daily_counts() -> list[DailyCounts]:
    """Return the number of reminders for each day, from a week ago to a week from now."""
    now = timezone.now()
    parameters: dict[str, Any] = {
        "zone": current_hotel().time_zone,
        "since": now - timedelta(days=_DAYS_AROUND_TODAY + 1),
        "until": now + timedelta(days=_DAYS_AROUND_TODAY + 1),
    }
    with connection.cursor() as cursor:
        cursor.execute(_DAILY_COUNTS, parameters)
        counts = {row[0]: DailyCounts(*row) for row in cursor.fetchall()}
    today = local_date(now, zone=hotel_time_zone())
    days = (today + timedelta(days=n) for n in range(-_DAYS_AROUND_TODAY, _DAYS_AROUND_TODAY + 1))
    return [counts.get(day, DailyCounts(day, 0, 0, 0)) for day in days]


@dataclass(frozen=True, slots=True)
class StatusSummary:
    """The number of reminders by status. `late` counts scheduled reminders that are over five minutes late."""

    due_today: int
    sent_today: int
    late: int
    unknown: int


_STATUS_SUMMARY = """
SELECT count(*) FILTER (WHERE status IN ('scheduled', 'sending')),
    count(*) FILTER (WHERE status = 'sent'),
    count(*) FILTER (WHERE status = 'scheduled' AND planned_for < %(now)s - interval '5 minutes'),
    count(*) FILTER (WHERE status = 'unknown')
FROM reminders_reminder
WHERE planned_for >= %(now)s - interval '3 days' AND (planned_for AT TIME ZONE %(zone)s)::date
    <= (%(now)s::timestamptz AT TIME ZONE %(zone)s)::date AND planned_for < %(now)s + interval '1 day'
"""


def status_summary() -> StatusSummary:
    """Return the number of reminders with each status.

    Only reminders that are planned for the last three days or for today are counted. The day ends at midnight in the
    hotel's time zone.
    """
    with connection.cursor() as cursor:
        cursor.execute(_STATUS_SUMMARY, {"now": timezone.now(), "zone": current_hotel().time_zone})
        return StatusSummary(*cursor.fetchone())
