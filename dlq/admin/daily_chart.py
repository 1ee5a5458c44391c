"""The chart of failures by day. It shows how many failures were new, needed attention, were resolved or were discarded.

The audit trail records each change of a failure once, so the module counts the events of the trail. The ids of a day's
events are a range of the primary key, so the count reads no other events.
"""

import datetime
from collections import Counter
from dataclasses import dataclass, fields
from typing import Any

from django.core.cache import cache
from django.db.models import Count
from django.db.models.functions import TruncDate
from django.utils import timezone

from audit.selectors import events_since
from dlq import events
from dlq.models import DECISION_STATUSES

DAYS = 14
#: All events of a day are committed within this period after the end of the day, so the counts of the day no longer
#: change after this period.
_DELAY = datetime.timedelta(minutes=5)
_SECONDS_COMPLETE = (DAYS + 1) * 24 * 3600
_SECONDS_TODAY = 30


@dataclass(frozen=True, slots=True)
class DayCounts:
    """The numbers of failures that were captured, resolved or discarded on a day, or began to wait for a person."""

    captured: int = 0
    waiting: int = 0
    resolved: int = 0
    discarded: int = 0


#: Maps the name of an audit event to the field of `DayCounts` that counts the event. An event after which the failure
#: waits for a person is also counted in the field `waiting`.
_FIELDS = {
    events.CAPTURED.name: "captured",
    events.RETRY_FAILED.name: "",
    events.EXPIRED.name: "waiting",
    events.IN_DOUBT.name: "waiting",
    events.RESOLVED.name: "resolved",
    events.DISCARDED.name: "discarded",
}


def daily_chart() -> dict[str, Any]:
    """Return the context of the template `chart.html`: the counts and the heights of the bars for each day.

    The height of a bar is the count as a percentage of the highest count. The height is None if the count is zero.
    """
    counts = daily_counts()
    names = [field.name for field in fields(DayCounts)]
    most = max(getattr(day, name) for day in counts.values() for name in names) or 1
    bars = [
        {
            "day": day,
            "counts": day_counts,
            "heights": [
                (name, 100 * count // most if (count := getattr(day_counts, name)) else None)
                for name in names
            ],
        }
        for day, day_counts in counts.items()
    ]
    return {"bars": bars}


def daily_counts() -> dict[datetime.date, DayCounts]:
    """Return the counts of failures (see `DayCounts`) for each of the last 14 days, oldest day first.

    Each day begins at midnight in the active time zone.

    The counts of complete days are cached. The counts of today are cached for 30 seconds.
    """
    today = timezone.localdate()
    days = [today - datetime.timedelta(days=number) for number in reversed(range(DAYS))]
    keys = {day: f"dlq:day-counts:{timezone.get_current_timezone_name()}:{day}" for day in days}
    cached = cache.get_many(keys.values())
    missing = [day for day in days if keys[day] not in cached]
    if missing:
        cached |= _count(missing, keys)
    return {day: DayCounts(**cached[keys[day]]) for day in days}


def _count(missing: list[datetime.date], keys: dict[datetime.date, str]) -> dict[str, dict[str, int]]:
    """Count the events of the days that are missing in the cache.

    Cache these counts, and return a dict that maps cache keys to counts.
    """
    start = timezone.make_aware(datetime.datetime.combine(missing[0], datetime.time.min))
    rows = (
        events_since(start)
        .filter(event__in=_FIELDS)
        .values_list(TruncDate("at"), "event", "data__status")
        .annotate(Count("id"))
    )
    counts: dict[datetime.date, Counter[str]] = {day: Counter() for day in missing}
    for day, event, status, number in rows.order_by():
        day_counts = counts.setdefault(day, Counter())
        if field := _FIELDS[event]:
            day_counts[field] += number
        if status in DECISION_STATUSES:
            day_counts["waiting"] += number
    complete_before = timezone.localdate(timezone.now() - _DELAY)
    found = {keys[day]: dict(counts[day]) for day in missing}
    complete = {keys[day] for day in missing if day < complete_before}
    cache.set_many({key: found[key] for key in complete}, _SECONDS_COMPLETE)
    cache.set_many({key: found[key] for key in found.keys() - complete}, _SECONDS_TODAY)
    return found
