"""The planner, which creates reminders from reservations and rules and adds them to the queue of due items.

The planner runs in the transaction that creates or changes the reservations. The same code plans the reminders of one
reservation or of a whole imported file.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection, transaction

from audit.services import record_many
from hotelagent.core.ids import uuid7
from reminders import due_kinds, events, metrics
from reminders.local_time import hotel_time_zone
from reminders.models import ReminderStatus, Reservation, Rule, RuleAnchor, SkipReason
from reminders.planning.guest_history import returning_guests
from reminders.planning.schedule import SendWindow, rule_applies, send_window
from tenants.queue import due


@dataclass(frozen=True, slots=True)
class PlanningResult:
    """The numbers of reminders that were scheduled, skipped or cancelled. `due` reminders can be sent immediately."""

    scheduled: int = 0
    skipped: int = 0
    cancelled: int = 0
    due: int = 0

    def __add__(self, other: PlanningResult) -> PlanningResult:
        return PlanningResult(
            self.scheduled + other.scheduled,
            self.skipped + other.skipped,
            self.cancelled + other.cancelled,
            self.due + other.due,
        )


# Reminders in status `sending` are not cancelled: their worker checks the reservation again before sending.
# PostgreSQL finds the reminders of these reservations with the unique index on (reservation, rule, arrival).
_CANCEL = """
UPDATE reminders_reminder AS r SET status = 'cancelled'
FROM reminders_rule AS rule
WHERE r.reservation_id = ANY(%s::uuid[]) AND r.status = 'scheduled' AND rule.id = r.rule_id
AND (r.reservation_id, r.rule_id, r.arrival) NOT IN (SELECT * FROM unnest(%s::uuid[], %s::uuid[], %s::date[]))
RETURNING r.id, r.reservation_id, r.rule_id, rule.name
"""

# Reminders in status `sent`, `failed` or `unknown` are never changed, so that no reminder is sent twice.
# A planned reminder is late if its send window had ended before the reservation was booked or changed.
# A late reminder replaces an existing reminder only if that reminder is cancelled, or is scheduled and not due yet.
# Without this rule for late reminders, a change to a reservation could send an e-mail after its send window.
# Reminders that staff cancelled (skip reason `manual`) stay cancelled.
_STORE = """
INSERT INTO reminders_reminder AS r
    (id, reservation_id, rule_id, arrival, planned_for, send_until, status, skip_reason,
    attempts, recipient)
SELECT w.id, w.reservation, w.rule, w.arrival, w.planned_for, w.send_until, w.status, w.skip_reason, 0, ''
FROM unnest(%s::uuid[], %s::uuid[], %s::uuid[], %s::date[], %s::timestamptz[], %s::timestamptz[], %s::text[],
    %s::text[]) AS w(id, reservation, rule, arrival, planned_for, send_until, status, skip_reason)
ON CONFLICT (reservation_id, rule_id, arrival) DO UPDATE
SET planned_for = excluded.planned_for, send_until = excluded.send_until, status = excluded.status,
    skip_reason = excluded.skip_reason
WHERE (r.status = ANY(%s::text[]) OR r.status = 'scheduled' AND r.planned_for > %s) AND r.skip_reason <> 'manual'
AND (r.planned_for, r.send_until, r.status) IS DISTINCT FROM
    (excluded.planned_for, excluded.send_until, excluded.status)
RETURNING r.id, r.planned_for, r.status
"""
_COPY = """
COPY reminders_reminder (id, reservation_id, rule_id, arrival, planned_for, send_until, status, skip_reason,
    attempts, recipient) FROM STDIN
"""
#: Each transaction that plans reminders takes this lock in shared mode before it reads the rules.
#: A transaction that plans reminders holds this lock until the transaction ends.
_LOCK_SHARED = "SELECT pg_advisory_xact_lock_shared('reminders_rule'::regclass::oid::bigint)"
_TRY_LOCK = "SELECT pg_try_advisory_xact_lock('reminders_rule'::regclass::oid::bigint)"
_REPLACED = [ReminderStatus.SCHEDULED, ReminderStatus.CANCELLED, ReminderStatus.SKIPPED]
_REPLACED_BY_LATE = [ReminderStatus.CANCELLED]


@dataclass(frozen=True, slots=True)
class _PlannedReminder:
    reservation: Reservation
    rule: Rule
    window: SendWindow


def plan_reminders(
    reservations: Sequence[Reservation], *, now: datetime, are_new: bool = False
) -> PlanningResult:
    """Create, move and cancel the reminders of the reservations as the hotel's rules require.

    Runs in the caller's transaction. `now` is the time at which the reservations were booked or changed. Callers may
    pass `are_new=True` only if none of the reservations has reminders. In this case, no existing reminders are looked
    up.
    """
    with metrics.PLANNER.time(), transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(_LOCK_SHARED)
        rules = list(Rule.objects.filter(is_active=True))
        planned = list(_planned(reservations, rules=rules, zone=hotel_time_zone(), now=now))
        cancelled = 0 if are_new else _cancel_others(reservations, planned)
        if are_new:
            stored = _store_new(planned, now=now)
        else:
            in_time = _store([p for p in planned if not p.window.is_late], replaced=_REPLACED, now=now)
            late = _store([p for p in planned if p.window.is_late], replaced=_REPLACED_BY_LATE, now=now)
            stored = in_time + late
    result = stored + PlanningResult(cancelled=cancelled)
    for status in ("scheduled", "skipped", "cancelled"):
        metrics.PLANNED.labels(status=status).inc(getattr(result, status))
    if result.skipped:
        metrics.SKIPPED.labels(reason=SkipReason.LATE_BOOKING.value).inc(result.skipped)
    return result


def no_planning_in_progress() -> bool:
    """Return True if no open transaction has planned reminders of this hotel, possibly with outdated rules.

    Call this function outside of a transaction. Otherwise the lock of this function would block all planning until the
    transaction ends.
    """
    with connection.cursor() as cursor:
        cursor.execute(_TRY_LOCK)
        return bool(cursor.fetchone()[0])


def _planned(
    reservations: Sequence[Reservation], *, rules: Sequence[Rule], zone: ZoneInfo, now: datetime
) -> Iterable[_PlannedReminder]:
    # A cache of send windows: time zone arithmetic is slow, and thousands of reservations share a few hundred dates.
    windows: dict[tuple[uuid.UUID, date, date | None], SendWindow | None] = {}
    returning = returning_guests(reservations, rules=rules)
    for reservation in reservations:
        for rule in rules:
            if not rule_applies(rule, reservation, is_returning=reservation.id in returning):
                continue
            departure = reservation.departure if rule.anchor == RuleAnchor.DEPARTURE else None
            key = (rule.id, reservation.arrival, departure)
            if key not in windows:
                windows[key] = send_window(
                    rule, arrival=reservation.arrival, departure=reservation.departure, zone=zone, now=now
                )
            if (window := windows[key]) is not None:
                yield _PlannedReminder(reservation, rule, window)


def _cancel_others(reservations: Sequence[Reservation], planned: Sequence[_PlannedReminder]) -> int:
    """Cancel the scheduled reminders of the reservations, except for the reminders in `planned`.

    Return the number of cancelled reminders. An audit event of each reservation names the rules of its cancelled
    reminders.
    """
    parameters: list[Any] = [
        [reservation.id for reservation in reservations],
        [p.reservation.id for p in planned],
        [p.rule.id for p in planned],
        [p.reservation.arrival for p in planned],
    ]
    with connection.cursor() as cursor:
        cursor.execute(_CANCEL, parameters)
        cancelled = cursor.fetchall()
    if not cancelled:
        return 0
    due.cancel(kind=due_kinds.REMINDER, ids=[row[0] for row in cancelled])
    planned_again = {(p.reservation.id, p.rule.id) for p in planned}
    rules: dict[uuid.UUID, set[str]] = defaultdict(set)
    for _id, reservation_id, rule_id, name in cancelled:
        if (reservation_id, rule_id) not in planned_again:
            rules[reservation_id].add(name)
    record_many(
        events.REMINDERS_CANCELLED,
        [
            (
                ("reservation", reservation.id),
                {"number": reservation.external_id, "rules": sorted(rules[reservation.id])},
            )
            for reservation in reservations
            if reservation.id in rules
        ],
    )
    return len(cancelled)


def _store(planned: Sequence[_PlannedReminder], *, replaced: Sequence[str], now: datetime) -> PlanningResult:
    """Insert the planned reminders. Update existing reminders whose status is in `replaced`."""
    if not planned:
        return PlanningResult()
    with connection.cursor() as cursor:
        columns = [list(column) for column in zip(*map(_row, planned), strict=True)]
        cursor.execute(_STORE, [*columns, list(replaced), now])
        stored = cursor.fetchall()
    skipped = [id_ for id_, _at, status in stored if status == ReminderStatus.SKIPPED]
    due.cancel(kind=due_kinds.REMINDER, ids=skipped)
    return _schedule_due_items(stored, now=now)


def _store_new(planned: Sequence[_PlannedReminder], *, now: datetime) -> PlanningResult:
    """Insert the reminders of new reservations with COPY, which is three times as fast as INSERT ... ON CONFLICT."""
    if not planned:
        return PlanningResult()
    rows = [_row(p) for p in planned]
    with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
        for row in rows:
            copy.write_row((*row, 0, ""))
    return _schedule_due_items([(row[0], row[4], row[6]) for row in rows], now=now)


def _schedule_due_items(
    stored: Sequence[tuple[uuid.UUID, datetime, str]], *, now: datetime
) -> PlanningResult:
    scheduled = [(id_, max(at, now)) for id_, at, status in stored if status == ReminderStatus.SCHEDULED]
    if scheduled:
        due.schedule(kind=due_kinds.REMINDER, items=scheduled)
    return PlanningResult(
        scheduled=len(scheduled),
        skipped=sum(status == ReminderStatus.SKIPPED for _id, _at, status in stored),
        due=sum(due_at <= now for _id, due_at in scheduled),
    )


def _row(planned: _PlannedReminder) -> tuple[Any, ...]:
    """Return the column values of a planned reminder, in the column order of the SQL statements that store it."""
    window = planned.window
    return (
        uuid7(),
        planned.reservation.id,
        planned.rule.id,
        planned.reservation.arrival,
        window.planned_for,
        window.send_until,
        ReminderStatus.SKIPPED.value if window.is_skipped else ReminderStatus.SCHEDULED.value,
        SkipReason.LATE_BOOKING.value if window.is_skipped else "",
    )
