"""Planning all of a hotel's reservations again: its rules or its clock have changed."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from audit.services import record
from reminders import events, planning
from reminders.models import Reservation
from reminders.planning import Plan

_CHUNK = 1_000  # reservations a transaction: no lock is held long, and a killed worker loses little
#: A mail after departure may be planned this long after the stay.
_LOOK_BACK = timedelta(days=60)


def replan(ids: Sequence[uuid.UUID]) -> Plan:
    """Bring the reminders of these reservations to what the rules say now. One transaction."""
    with transaction.atomic():
        locked = Reservation.objects.select_for_update(of=("self",)).filter(id__in=ids).order_by("id")
        return planning.plan(list(locked), now=timezone.now())


def replan_all() -> Plan:
    """Bring every reminder that has not gone to what the rules say now. One transaction a chunk.

    Running it again changes nothing, so a worker that dies in the middle is no harm.
    """
    total = Plan()
    since = (timezone.now() - _LOOK_BACK).date()
    due = Reservation.objects.filter(departure__gte=since).order_by("id").values_list("id", flat=True)
    chunk = list(due[:_CHUNK])
    while chunk:
        total += replan(chunk)
        chunk = list(due.filter(id__gt=chunk[-1])[:_CHUNK])
    record(
        events.REMINDERS_REPLANNED,
        scheduled=total.scheduled,
        skipped=total.skipped,
        cancelled=total.cancelled,
    )
    return total
