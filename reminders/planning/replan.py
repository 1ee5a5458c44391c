"""Functions that plan the reminders of existing reservations again.

Changes to rules or to the hotel's time zone affect all reservations. A changed reservation can affect the guest's other
reservations. The transaction that makes the change adds a request to the queue of due items in the database.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterator, Sequence
from datetime import date, timedelta

from django.db import transaction
from django.utils import timezone

from audit.services import record
from hotelagent.core.ids import uuid7
from reminders import due_kinds, events
from reminders.models import ReminderStatus, Reservation, Rule, RuleAnchor
from reminders.planning import guest_history, planner
from reminders.planning.planner import PlanningResult
from tenants.queue import due

#: Replanning waits until every process uses the hotel's new time zone (see `settings.ROUTING_CHECK_SECONDS`).
_TIME_ZONE_DELAY = timedelta(seconds=1)
_OPEN_TRANSACTION_DELAY = timedelta(seconds=10)
#: The number of reservations per transaction. Larger transactions hold locks longer and lose more work if they fail.
_CHUNK = 1_000


def schedule_full_replan(*, after: timedelta = _TIME_ZONE_DELAY) -> None:
    """Schedule a task that plans all reminders of the hotel again. Runs in the caller's transaction.

    Each call adds a separate row to the queue of due items.
    """
    due.schedule(kind=due_kinds.REPLAN_ALL, items=[(uuid7(), timezone.now() + after)])


def schedule_replan_of_other_stays(reservation: Reservation, *, addresses: Collection[str]) -> None:
    """Schedule a task that plans the reminders of other reservations with these e-mail addresses again.

    Runs in the caller's transaction. A worker plans the reminders later, because locking several reservations in this
    transaction could cause a deadlock.
    """
    now = timezone.now()
    others = guest_history.other_stays(reservation, addresses=addresses)
    due.schedule(kind=due_kinds.REPLAN_RESERVATION, items=[(id_, now) for id_ in others])


def replan_requested(ids: Sequence[uuid.UUID]) -> None:
    """Plan the reminders of these reservations again, and remove the planning requests from the queue of due items.

    The reminders of each reservation are planned in a separate transaction. The transaction locks the reservation,
    removes the planning request, and then reads the guest's other stays. Transactions that change these stays take
    their locks in the same order, so no change is missed.
    """
    for id_ in ids:
        with transaction.atomic():
            locked = list(Reservation.objects.select_for_update(of=("self",)).filter(id=id_))
            due.cancel(kind=due_kinds.REPLAN_RESERVATION, ids=[id_])
            planner.plan_reminders(locked, now=timezone.now())


def replan_all() -> PlanningResult:
    """Plan all unsent reminders of the hotel again, with one transaction for each `_CHUNK` reservations.

    The function is idempotent, so an interrupted call can be repeated. If a concurrent transaction, such as an import,
    also plans reminders, that transaction may use outdated rules. In this case, the function schedules another call
    for later.
    """
    can_be_complete = planner.no_planning_in_progress()
    total = PlanningResult()
    for chunk in _chunks():
        with transaction.atomic():
            locked = Reservation.objects.select_for_update(of=("self",)).filter(id__in=chunk).order_by("id")
            total += planner.plan_reminders(list(locked), now=timezone.now())
    if not can_be_complete:
        schedule_full_replan(after=_OPEN_TRANSACTION_DELAY)
    record(
        events.REMINDERS_REPLANNED,
        scheduled=total.scheduled,
        skipped=total.skipped,
        cancelled=total.cancelled,
    )
    return total


def _chunks() -> Iterator[list[uuid.UUID]]:
    since = _earliest_relevant_departure()
    recent = Reservation.objects.filter(departure__gte=since).order_by("id").values_list("id", flat=True)
    chunk = list(recent[:_CHUNK])
    while chunk:
        yield chunk
        chunk = list(recent.filter(id__gt=chunk[-1])[:_CHUNK])
    # Include earlier stays with scheduled reminders, because a change of the rules may cancel these reminders.
    earlier = Reservation.objects.filter(departure__lt=since, reminders__status=ReminderStatus.SCHEDULED)
    ids = list(earlier.order_by("id").values_list("id", flat=True).distinct())
    for first in range(0, len(ids), _CHUNK):
        yield ids[first : first + _CHUNK]


def _earliest_relevant_departure() -> date:
    """Return the earliest departure date of reservations for which an active rule can still plan a reminder."""
    after_departure = Rule.objects.filter(is_active=True, anchor=RuleAnchor.DEPARTURE)
    reach = (timedelta(days=r.offset_days, hours=r.offset_hours + r.window_hours) for r in after_departure)
    any_time_zone = timedelta(days=2)
    return (timezone.now() - max(reach, default=timedelta()) - any_time_zone).date()
