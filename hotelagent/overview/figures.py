"""The queries of the start page of the platform's admin. Each function needs the platform's context."""

import datetime
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from django.db import connection
from django.db.models import Count, F, Sum
from django.db.models.functions import TruncMonth

from dlq.models import DECISION_STATUSES
from hotelagent import beat
from tenants.database.clock import database_now
from tenants.models import Hotel, HotelFigures, HotelStatus, Lease, SchemaTemplate
from tenants.queue.due import LEASE

MONTHS = 12

#: The condition for due items that are waiting now. The condition on `claim_at` lets PostgreSQL use the index on this
#: column. It excludes the items of suspended hotels, but includes every due item of the other hotels.
_WAITING = (
    "claim_at <= statement_timestamp() + make_interval(secs => %(lease)s) AND due_at <= statement_timestamp()"
)

_HOTELS = f"""
SELECT h.id, h.name, h.status, coalesce(m.mails_sent, 0), coalesce(m.mails_bounced, 0), m.counted_at,
    coalesce(f.open, 0), coalesce(d.waiting, 0),
    coalesce(extract(epoch FROM statement_timestamp() - d.oldest), 0)::float8
FROM tenants_hotel h
LEFT JOIN tenants_hotelfigures m ON m.hotel_id = h.id
LEFT JOIN (
    SELECT tenant_id, (SELECT sum(value::int) FROM jsonb_each_text(open_by_status))::int AS open
    FROM dlq_failurefigures
) f ON f.tenant_id = h.id
LEFT JOIN (
    SELECT hotel_id, count(*) AS waiting, min(due_at) AS oldest FROM tenants_dueitem WHERE {_WAITING} GROUP BY hotel_id
) d ON d.hotel_id = h.id
"""  # noqa: S608 - a constant
_FAILURES = """
SELECT coalesce(sum(value::int), 0), coalesce(sum(value::int) FILTER (WHERE key = ANY(%s)), 0)
FROM tenants_hotel h JOIN dlq_failurefigures f ON f.tenant_id = h.id, jsonb_each_text(f.open_by_status)
"""
_DUE_QUEUE = f"""
SELECT count(*), coalesce(extract(epoch FROM statement_timestamp() - min(due_at)), 0)::float8
FROM tenants_dueitem WHERE {_WAITING}
"""  # noqa: S608 - a constant
_ORDER = {
    "failures": "coalesce(f.open, 0) DESC, h.slug",
    "wait": "d.oldest NULLS LAST, h.slug",
    "mails": "coalesce(m.mails_sent, 0) DESC, h.slug",
    "bounces": "coalesce(m.mails_bounced, 0) DESC, h.slug",
}
Order = Literal["failures", "wait", "mails", "bounces"]


@dataclass(frozen=True, slots=True)
class HotelRow:
    """A row of the list of hotels. `oldest_seconds` is the time for which the hotel's oldest due item has waited."""

    id: UUID
    name: str
    status: str
    mails_sent: int
    mails_bounced: int
    counted_at: datetime.datetime | None
    open_failures: int
    waiting_items: int
    oldest_seconds: float


@dataclass(frozen=True, slots=True)
class Month:
    """The number of hotels that were created in a month, and the number of hotels at the end of the month."""

    first_day: datetime.date
    new: int
    total: int


@dataclass(frozen=True, slots=True)
class DueQueue:
    items: int
    oldest_seconds: float


@dataclass(frozen=True, slots=True)
class FailureCounts:
    """The open failures of all hotels. `waiting` counts those that need attention, because they are not retried."""

    open: int
    waiting: int


@dataclass(frozen=True, slots=True)
class BeatState:
    """The holder of the lease of Celery beat, and the seconds since its last tick."""

    holder: str
    seconds: float

    @property
    def is_alive(self) -> bool:
        return self.seconds <= beat.LEASE_SECONDS


def list_hotels(order: Order, *, limit: int) -> list[HotelRow]:
    """Return the hotels with the largest values of the number `order`, in one query for any number of hotels."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"{_HOTELS} ORDER BY {_ORDER[order]} LIMIT %(limit)s",
            {"lease": LEASE.total_seconds(), "limit": limit},
        )
        return [HotelRow(*row) for row in cursor.fetchall()]


def count_by_month() -> list[Month]:
    """Return the numbers of hotels for each of the last twelve months. Deleted hotels are not counted."""
    now = database_now()
    first = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    starts = [_months_before(first, number) for number in range(MONTHS - 1, -1, -1)]
    recent = Hotel.objects.filter(created_at__gte=starts[0])
    counts: dict[datetime.date, int] = {
        month.date(): number
        for month, number in recent.values_list(TruncMonth("created_at")).annotate(number=Count("id"))
    }
    total = Hotel.objects.filter(created_at__lt=starts[0]).count()
    months = []
    for start in starts:
        new = counts.get(start.date(), 0)
        total += new
        months.append(Month(start.date(), new, total))
    return months


def _months_before(first: datetime.datetime, number: int) -> datetime.datetime:
    year, month = divmod(first.year * 12 + first.month - 1 - number, 12)
    return first.replace(year=year, month=month + 1)


def count_behind() -> int:
    """Return the number of hotels that lack the newest migrations. Hotels in the status `provisioning` do not count."""
    current = SchemaTemplate.objects.values_list("schema_version", flat=True).first()
    hotels = Hotel.objects.exclude(status=HotelStatus.PROVISIONING)
    return hotels.exclude(schema_version=current or "").count()


def count_failures() -> FailureCounts:
    """Return the counts of the open failures of all hotels, which are updated once a minute."""
    with connection.cursor() as cursor:
        cursor.execute(_FAILURES, [list(DECISION_STATUSES)])
        return FailureCounts(*cursor.fetchone())


def read_due_queue() -> DueQueue:
    with connection.cursor() as cursor:
        cursor.execute(
            _DUE_QUEUE,
            {"lease": LEASE.total_seconds()},
        )
        return DueQueue(*cursor.fetchone())


def read_beat() -> BeatState | None:
    """Return the state of Celery beat, or None if it has never run. Beat renews its lease at each tick."""
    lease = Lease.objects.filter(name=beat.LEASE).first()
    if lease is None:
        return None
    last_tick = lease.expires_at - datetime.timedelta(seconds=beat.LEASE_SECONDS)
    return BeatState(lease.holder, max(0.0, (database_now() - last_tick).total_seconds()))


def sum_mails() -> dict[str, Any]:
    """Return how many e-mails all active hotels sent in the last seven days, and how many of them bounced."""
    return HotelFigures.objects.filter(hotel__status=HotelStatus.ACTIVE).aggregate(
        sent=Sum(F("mails_sent"), default=0), bounced=Sum(F("mails_bounced"), default=0)
    )


def read_postgres_version() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('server_version')")
        return str(cursor.fetchone()[0])
