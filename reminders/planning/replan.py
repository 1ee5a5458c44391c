"""Planning all of a hotel's reservations again: its rules or its clock have changed."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from datetime import date, timedelta

from django.db import transaction
from django.utils import timezone

from audit.services import record
from hotelagent.core.ids import uuid7
from reminders import events
from reminders.models import ReminderStatus, Reservation, Rule
from reminders.planning import planner
from reminders.planning.choices import Anchor
from reminders.planning.planner import Plan
from tenants.queue import due

KIND = "replan"  # in the due queue
#: By then each process has read the hotel's new time zone: see `settings.ROUTING_CHECK_SECONDS`.
_KNOWN_TO_ALL = timedelta(seconds=1)
_OPEN_TRANSACTION = timedelta(seconds=10)
_CHUNK = 1_000  # reservations a transaction: no lock is held long, and a killed worker loses little


def replan_soon(*, after: timedelta = _KNOWN_TO_ALL) -> None:
    """Have a worker do `replan_all`, in the caller's transaction: no broker that is away makes it be forgotten.

    Each wish is an item of its own. One that comes while an earlier is dealt with is not done with that one.
    """
    due.schedule(kind=KIND, items=[(uuid7(), timezone.now() + after)])


def replan(ids: Sequence[uuid.UUID]) -> Plan:
    """Bring the reminders of these reservations to what the rules say now. One transaction."""
    with transaction.atomic():
        locked = Reservation.objects.select_for_update(of=("self",)).filter(id__in=ids).order_by("id")
        return planner.plan(list(locked), now=timezone.now())


def replan_all() -> Plan:
    """Bring every reminder that has not gone to what the rules say now. One transaction a chunk.

    Running it again changes nothing, so a worker that dies in the middle is no harm. Where a transaction is open
    that may have planned by what the rules said before, such as an import's, it is done again after that.
    """
    all_seen = planner.nobody_plans()
    total = Plan()
    for chunk in _chunks():
        total += replan(chunk)
    if not all_seen:
        replan_soon(after=_OPEN_TRANSACTION)
    record(
        events.REMINDERS_REPLANNED,
        scheduled=total.scheduled,
        skipped=total.skipped,
        cancelled=total.cancelled,
    )
    return total


def _chunks() -> Iterator[list[uuid.UUID]]:
    since = _left_since()
    recent = Reservation.objects.filter(departure__gte=since).order_by("id").values_list("id", flat=True)
    chunk = list(recent[:_CHUNK])
    while chunk:
        yield chunk
        chunk = list(recent.filter(id__gt=chunk[-1])[:_CHUNK])
    # Whom the rules no longer reach, and what they said before has something planned.
    gone = Reservation.objects.filter(departure__lt=since, reminders__status=ReminderStatus.SCHEDULED)
    ids = list(gone.order_by("id").values_list("id", flat=True).distinct())
    for first in range(0, len(ids), _CHUNK):
        yield ids[first : first + _CHUNK]


def _left_since() -> date:
    """Who left before this day is written to by no rule any more."""
    after = Rule.objects.filter(is_active=True, anchor=Anchor.DEPARTURE)
    reach = (timedelta(days=r.offset_days, hours=r.offset_hours + r.window_hours) for r in after)
    a_day_of_any_zone = timedelta(days=2)
    return (timezone.now() - max(reach, default=timedelta()) - a_day_of_any_zone).date()
