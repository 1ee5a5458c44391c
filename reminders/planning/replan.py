"""Planning the reminders of existing reservations again after a change of other data.

Rules and the hotel's time zone affect all reservations. A changed reservation affects other reservations of the same
guest if a rule is for new or for returning guests. The transaction of the change adds a request to the due queue, so
no request is lost while the message broker is down.
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

#: After this delay, every process uses the hotel's new time zone: see `settings.ROUTING_CHECK_SECONDS`.
_TIME_ZONE_DELAY = timedelta(seconds=1)
_OPEN_TRANSACTION_DELAY = timedelta(seconds=10)
#: Reservations per transaction. Small, so that locks are short and a killed worker loses little work.
_CHUNK = 1_000


def schedule_full_replan(*, after: timedelta = _TIME_ZONE_DELAY) -> None:
    """Request that a worker plans all reminders of the hotel again. Runs in the caller's transaction.

    Each request is a due item of its own, so a worker that finishes an earlier request does not remove a later one.
    """
    due.schedule(kind=due_kinds.REPLAN_ALL, items=[(uuid7(), timezone.now() + after)])


def schedule_replan_of_other_stays(reservation: Reservation, *, addresses: Collection[str]) -> None:
    """Request that the other reservations of these guests are planned again. Runs in the caller's transaction.

    A worker does this later: locking the other reservations here could deadlock with changes to them.
    """
    now = timezone.now()
    others = guest_history.other_stays(reservation, addresses=addresses)
    due.schedule(kind=due_kinds.REPLAN_RESERVATION, items=[(id_, now) for id_ in others])


def replan_requested(ids: Sequence[uuid.UUID]) -> None:
    """Plan the reminders of these reservations again and remove their due items. One transaction per reservation.

    The due item is removed after the reservation is locked and before anything else is read. A concurrent request
    locks in the same order. So it either commits first and is included, or adds a new due item.
    """
    for id_ in ids:
        with transaction.atomic():
            locked = list(Reservation.objects.select_for_update(of=("self",)).filter(id=id_))
            due.cancel(kind=due_kinds.REPLAN_RESERVATION, ids=[id_])
            planner.plan_reminders(locked, now=timezone.now())


def replan_all() -> PlanningResult:
    """Plan all reminders of the hotel that were not sent. One transaction per chunk of reservations.

    A second run changes nothing, so it is safe to repeat after a worker died. If a transaction is open that may have
    used the previous rules, such as an import, another run is scheduled.
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
    # The current rules plan no reminders for earlier stays, but a previous rule may have scheduled some.
    earlier = Reservation.objects.filter(departure__lt=since, reminders__status=ReminderStatus.SCHEDULED)
    ids = list(earlier.order_by("id").values_list("id", flat=True).distinct())
    for first in range(0, len(ids), _CHUNK):
        yield ids[first : first + _CHUNK]


def _earliest_relevant_departure() -> date:
    """Return the earliest departure date for which an active rule can still plan a reminder."""
    after_departure = Rule.objects.filter(is_active=True, anchor=RuleAnchor.DEPARTURE)
    reach = (timedelta(days=r.offset_days, hours=r.offset_hours + r.window_hours) for r in after_departure)
    any_time_zone = timedelta(days=2)
    return (timezone.now() - max(reach, default=timedelta()) - any_time_zone).date()
