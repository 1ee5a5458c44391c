"""The collector of the daily usage: it counts a hotel's complete days that have no row yet, and stores the rows.

Days end at midnight in the hotel's time zone. `schedule_counts` runs every half hour and schedules a due item for each
hotel whose yesterday has no row, so each hotel is counted soon after its midnight, and an outage only delays the count.
"""

import datetime
from typing import Any, cast
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings
from django.db import connection

from audit.models import Event
from dlq.models import OPEN_STATUSES, Failure
from hotelagent.core.ids import first_uuid7_at
from hotelagent.rest import call_counts
from hotelagent.usage import USAGE_DUE
from locks.events import HOLD_ACQUIRED
from locks.models import Allocation, AllocationStatus
from reminders.local_time import local_date, local_to_utc
from reminders.models import Reminder, ReminderStatus, Reservation
from tenants.context import Tenant, current_hotel, platform_context
from tenants.database.clock import database_now
from tenants.models import Hotel, HotelStatus, HotelUsage, User
from tenants.queue import due
from tenants.unaudited import unaudited

#: The maximum number of past days that are counted after an outage or for a hotel that was never counted.
CATCH_UP_DAYS = 31
#: The hotels whose counts are scheduled together are counted at times that are spread over this duration.
SPREAD = datetime.timedelta(minutes=20)
_DAY = datetime.timedelta(days=1)
#: Reminders are sent at most this long after their planned time, so reminders that were planned earlier are not read.
_LATEST_SENDING = datetime.timedelta(days=2)

_HOTELS_TO_COUNT = """
SELECT hotel.id FROM tenants_hotel AS hotel
JOIN unnest(%s::text[], %s::date[], %s::timestamptz[]) AS zone (name, yesterday, midnight)
    ON zone.name = hotel.time_zone
WHERE hotel.status = 'active' AND hotel.created_at < zone.midnight AND NOT EXISTS (
    SELECT FROM tenants_hotelusage AS usage WHERE usage.hotel_id = hotel.id AND usage.day = zone.yesterday
)
"""
_STORAGE = """
SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint FROM pg_class
WHERE relnamespace = to_regnamespace(quote_ident(%s)) AND relkind IN ('r', 'm', 'S')
"""


def schedule_counts() -> int:
    """Schedule the count of each active hotel whose yesterday is not counted. Return the number of new due items.

    The local dates are computed here and not by PostgreSQL, because one hotel with a time zone that PostgreSQL does not
    know would make the statement fail for all hotels. Needs the platform's context.
    """
    now = database_now()
    names, days, midnights = [], [], []
    for name in Hotel.objects.order_by("time_zone").values_list("time_zone", flat=True).distinct():
        try:
            zone = ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError):  # `check --database default` reports this hotel
            continue
        today = local_date(now, zone=zone)
        names.append(name)
        days.append(today - _DAY)
        midnights.append(_midnight(today, zone))
    with connection.cursor() as cursor:
        cursor.execute(_HOTELS_TO_COUNT, [names, days, midnights])
        hotel_ids = [row[0] for row in cursor.fetchall()]
    return due.schedule_for_hotels(kind=USAGE_DUE, hotel_ids=hotel_ids, within=SPREAD)


@unaudited("The stored numbers are computed from rows whose changes are recorded.")
def count_usage() -> int:
    """Count the complete days of the current hotel that have no row, and store them. Return the number of days.

    The open failures, the storage and the accounts of a past day cannot be counted later, so only the row of yesterday
    has them. Raises redis.RedisError if Redis is unavailable. A repeated or concurrent call changes no stored row.
    """
    hotel = current_hotel()
    hotel_id, zone = cast("UUID", hotel.id), ZoneInfo(hotel.time_zone)
    now = database_now()
    today = local_date(now, zone=zone)
    with platform_context():
        last = (
            HotelUsage.objects.filter(hotel_id=hotel_id)
            .order_by("-day")
            .values_list("day", flat=True)
            .first()
        )
        created_at = Hotel.objects.values_list("created_at", flat=True).get(pk=hotel_id)
    first = last + _DAY if last else local_date(created_at, zone=zone)
    first = max(first, today - CATCH_UP_DAYS * _DAY)
    days = [first + number * _DAY for number in range((today - first).days)]
    calls = call_counts.read_counts(hotel, days)
    rows = []
    for day in days:
        is_yesterday = day == today - _DAY
        # Before the first count of a hotel, it is unknown whether an earlier version of the code counted no API calls.
        numbers = _count_day(day, zone) | {"api_calls": calls[day] if last or is_yesterday else None}
        if is_yesterday:
            numbers |= _count_now(hotel)
        rows.append(HotelUsage(hotel_id=hotel_id, day=day, counted_at=now, **numbers))
    with platform_context():
        HotelUsage.objects.bulk_create(rows, ignore_conflicts=True)
    return len(rows)


@unaudited("The deleted numbers were computed from rows whose changes are recorded.")
def delete_old_usage() -> int:
    """Delete the rows that are older than USAGE_KEEP_DAYS days. Return the number of deleted rows."""
    before = database_now().date() - settings.USAGE_KEEP_DAYS * _DAY
    return HotelUsage.objects.filter(day__lt=before).delete()[0]


def count_hotels_behind() -> int:
    """Return the number of active hotels that are older than four days and have no row of the last three days.

    Needs the platform's context.
    """
    now = database_now()
    recent = HotelUsage.objects.filter(day__gte=now.date() - 3 * _DAY).values("hotel_id")
    hotels = Hotel.objects.filter(status=HotelStatus.ACTIVE, created_at__lt=now - 4 * _DAY)
    return hotels.exclude(pk__in=recent).count()


def _midnight(day: datetime.date, zone: ZoneInfo) -> datetime.datetime:
    return local_to_utc(day, datetime.time.min, zone=zone)


def _count_day(day: datetime.date, zone: ZoneInfo) -> dict[str, int | None]:
    """Return those numbers of a day that can still be counted when the day is long over."""
    start, end = _midnight(day, zone), _midnight(day + _DAY, zone)
    # Ids begin with the time of creation, so the index of the primary key limits the number of rows that are read.
    created = {"id__gte": first_uuid7_at(start), "id__lt": first_uuid7_at(end)}
    planned = Reminder.objects.filter(planned_for__lt=end)
    return {
        "reservations": Reservation.objects.filter(**created).count(),
        "stays": Allocation.objects.filter(status=AllocationStatus.CONFIRMED, nights__contains=day).count(),
        # Ended holds are deleted after some days, but their events are kept.
        "holds": Event.objects.filter(**created, event=HOLD_ACQUIRED.name).count(),
        "reminders_sent": planned.filter(
            planned_for__gte=start - _LATEST_SENDING, sent_at__gte=start, sent_at__lt=end
        ).count(),
        "reminders_failed": planned.filter(planned_for__gte=start, status=ReminderStatus.FAILED).count(),
    }


def _count_now(hotel: Tenant) -> dict[str, Any]:
    with connection.cursor() as cursor:
        cursor.execute(_STORAGE, [hotel.schema])
        [storage_bytes] = cursor.fetchone()
    return {
        "failures_open": Failure.objects.filter(status__in=OPEN_STATUSES).count(),
        "storage_bytes": storage_bytes,
        "staff": User.objects.filter(is_active=True).count(),
    }
