"""The queries of the daily usage of all hotels. Each function needs the platform's context."""

import datetime
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from tenants.models import HotelUsage

#: The numbers that are counted for a day, with their labels. Numbers of several days can be added.
DAILY: dict[str, str | Promise] = {
    "reservations": _("New reservations"),
    "stays": _("Occupied rooms"),
    "holds": _("Holds"),
    "reminders_sent": _("Reminders sent"),
    "reminders_failed": _("Reminders failed"),
    "api_calls": _("API calls"),
}
#: The numbers that are read at the time of the count and cannot be added up, with their labels.
CURRENT: dict[str, str | Promise] = {
    "storage_bytes": _("Storage"),
    "failures_open": _("Open failures"),
    "staff": _("Active staff accounts"),
}
#: The number of earlier days with the same weekday that the usual number of a day is computed from.
WEEKS = 4
#: A usual number needs at least this number of earlier days.
_MIN_WEEKS = 3
#: Hotels whose newest counted day is more than this number of days ago are left out.
_MAX_AGE_DAYS = 3

_WITH_USUAL = f"""
WITH latest AS (
    SELECT DISTINCT ON (hotel_id) * FROM tenants_hotelusage WHERE day >= %(today)s::date - {_MAX_AGE_DAYS}
    ORDER BY hotel_id, day DESC
), usual AS (
    SELECT latest.hotel_id,
        {
    ", ".join(
        f"CASE WHEN count(earlier.{name}) >= {_MIN_WEEKS} THEN "
        f"percentile_cont(0.5) WITHIN GROUP (ORDER BY earlier.{name}) END AS {name}"
        for name in DAILY
    )
}
    FROM latest JOIN tenants_hotelusage AS earlier ON earlier.hotel_id = latest.hotel_id
        AND earlier.day IN ({", ".join(f"latest.day - {7 * week}" for week in range(1, WEEKS + 1))})
    GROUP BY latest.hotel_id
)
SELECT hotel.slug, {", ".join(f"latest.{name}" for name in (*DAILY, *CURRENT))},
    {", ".join(f"usual.{name}" for name in DAILY)}
FROM latest JOIN tenants_hotel AS hotel ON hotel.id = latest.hotel_id
LEFT JOIN usual ON usual.hotel_id = latest.hotel_id
"""  # noqa: S608 - constants

_SUMS = f"""
SELECT hotel.id, hotel.name,
    {
    ", ".join(
        f"coalesce(sum(u.{name}) FILTER (WHERE u.day > %(today)s::date - 8), 0)::bigint" for name in DAILY
    )
},
    {
    ", ".join(
        f"coalesce(sum(u.{name}) FILTER (WHERE u.day <= %(today)s::date - 8), 0)::bigint" for name in DAILY
    )
},
    {
    ", ".join(
        f"(array_agg(u.{name} ORDER BY u.day DESC) FILTER (WHERE u.{name} IS NOT NULL))[1]"
        for name in CURRENT
    )
}
FROM tenants_hotel AS hotel
JOIN tenants_hotelusage AS u ON u.hotel_id = hotel.id
WHERE u.day > %(today)s::date - 15 AND u.day < %(today)s::date
GROUP BY hotel.id
"""  # noqa: S608 - constants


@dataclass(frozen=True, slots=True)
class LatestUsage:
    """The numbers of the newest day of a hotel.

    `usual` contains the median of the same weekday in the four weeks before, or None if it is not known.
    """

    slug: str
    numbers: dict[str, int | None]
    usual: dict[str, float | None]


@dataclass(frozen=True, slots=True)
class WeekSums:
    """The sums of a hotel's last seven days, the sums of the seven days before, and the newest storage and accounts."""

    hotel_id: UUID
    name: str
    last: dict[str, int]
    before: dict[str, int]
    current: dict[str, int | None]

    @property
    def growth(self) -> dict[str, int | None]:
        """Return the change of each sum in percent, or None if the sum of the seven days before is 0."""
        return {
            name: round(100 * (self.last[name] - before) / before) if before else None
            for name, before in self.before.items()
        }


def read_latest(today: datetime.date) -> list[LatestUsage]:
    """Return the numbers of the newest day of each hotel. One query for any number of hotels."""
    count = len(DAILY) + len(CURRENT)
    return [
        LatestUsage(
            slug=slug,
            numbers=dict(zip((*DAILY, *CURRENT), values[:count], strict=True)),
            usual=dict(zip(DAILY, values[count:], strict=True)),
        )
        for slug, *values in _rows(_WITH_USUAL, today)
    ]


def read_week_sums(today: datetime.date) -> list[WeekSums]:
    """Return the sums of the last 14 days before `today` of each hotel with a row in this time, in one query."""
    size = len(DAILY)
    return [
        WeekSums(
            hotel_id=hotel_id,
            name=name,
            last=dict(zip(DAILY, values[:size], strict=True)),
            before=dict(zip(DAILY, values[size : 2 * size], strict=True)),
            current=dict(zip(CURRENT, values[2 * size :], strict=True)),
        )
        for hotel_id, name, *values in _rows(_SUMS, today)
    ]


def read_days(hotel_id: UUID, *, since: datetime.date) -> list[HotelUsage]:
    """Return the rows of a hotel from this day on, in the order of the days."""
    return list(HotelUsage.objects.filter(hotel_id=hotel_id, day__gte=since).order_by("day"))


def _rows(query: str, today: datetime.date) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, {"today": today})
        return list(cursor.fetchall())
