"""Plans the reminders of reservations that were made or changed, in the transaction that changed them.

All statements take whole lists, so a file of bookings and a single change go the same way.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection, transaction

from hotelagent.core.ids import uuid7
from reminders.models import ReminderStatus, Reservation, Rule, SkipReason
from reminders.planning.choices import Anchor
from reminders.planning.schedule import Moment, applies, moment, zone_of
from reminders.reservations import guests
from reminders.sending import metrics
from tenants.context import current_hotel
from tenants.queue import due

KIND = "reminder"  # in the due queue


@dataclass(frozen=True, slots=True)
class Plan:
    """What a call changed, by number. `due` counts what may go at once."""

    scheduled: int = 0
    skipped: int = 0
    cancelled: int = 0
    due: int = 0

    def __add__(self, other: Plan) -> Plan:
        return Plan(
            self.scheduled + other.scheduled,
            self.skipped + other.skipped,
            self.cancelled + other.cancelled,
            self.due + other.due,
        )


# What is no longer wanted. A reminder that is being sent is left to its worker, which looks at the reservation
# once more before the mail leaves. The unique index (reservation, rule, arrival) finds the rows.
_CANCEL = """
UPDATE reminders_reminder SET status = 'cancelled'
WHERE reservation_id = ANY(%s::uuid[]) AND status = 'scheduled'
AND (reservation_id, rule_id, arrival) NOT IN (SELECT * FROM unnest(%s::uuid[], %s::uuid[], %s::date[]))
RETURNING id
"""

# What was sent, failed, or may have been sent stays as it is: that is the promise of the unique key.
# Late rows come back only from `cancelled`, for what once missed its window is not revived by a later change; and
# they take the place of what was still ahead, by what a rule said before. What a person cancelled by hand is not
# revived by any.
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
#: Whoever plans holds it, shared, to the end of its transaction, and reads the rules under it.
_PLANNING = "SELECT pg_advisory_xact_lock_shared('reminders_rule'::regclass::oid::bigint)"
_NOBODY_PLANS = "SELECT pg_try_advisory_xact_lock('reminders_rule'::regclass::oid::bigint)"
_REVIVED = [ReminderStatus.SCHEDULED, ReminderStatus.CANCELLED, ReminderStatus.SKIPPED]
_REVIVED_LATE = [ReminderStatus.CANCELLED]


@dataclass(frozen=True, slots=True)
class _Wanted:
    reservation: Reservation
    rule: Rule
    moment: Moment


def plan(reservations: Sequence[Reservation], *, now: datetime, are_new: bool = False) -> Plan:
    """Bring the reminders of these reservations, and the due queue, to what the hotel's rules say.

    In the caller's transaction. `now` is when the reservations became known. `are_new` says that none of them
    has reminders yet, which spares looking for those to cancel.
    """
    with metrics.PLANNER.time(), transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(_PLANNING)
        rules = list(Rule.objects.filter(is_active=True))
        wanted = list(_wanted(reservations, rules=rules, zone=zone_of(current_hotel().time_zone), now=now))
        cancelled = 0 if are_new else _cancel_unwanted(reservations, wanted)
        if are_new:
            stored = _store_new(wanted, now=now)
        else:
            ordinary = _store([w for w in wanted if not w.moment.is_late], over=_REVIVED, now=now)
            late = _store([w for w in wanted if w.moment.is_late], over=_REVIVED_LATE, now=now)
            stored = ordinary + late
    done = stored + Plan(cancelled=cancelled)
    for status in ("scheduled", "skipped", "cancelled"):
        metrics.PLANNED.labels(status=status).inc(getattr(done, status))
    if done.skipped:
        metrics.SKIPPED.labels(reason=SkipReason.LATE_BOOKING.value).inc(done.skipped)
    return done


def nobody_plans() -> bool:
    """Whether no transaction is open that has planned for this hotel: by rules, it may be, that have changed since.

    Not inside a transaction, which would keep others from planning.
    """
    with connection.cursor() as cursor:
        cursor.execute(_NOBODY_PLANS)
        return bool(cursor.fetchone()[0])


def _wanted(
    reservations: Sequence[Reservation], *, rules: Sequence[Rule], zone: ZoneInfo, now: datetime
) -> Iterable[_Wanted]:
    # Thousands of guests share a few hundred days, and time zones are slow to ask.
    moments: dict[tuple[uuid.UUID, date, date | None], Moment | None] = {}
    returning = guests.returning(reservations, rules=rules)
    for reservation in reservations:
        for rule in rules:
            if not applies(rule, reservation, is_returning=reservation.id in returning):
                continue
            departure = reservation.departure if rule.anchor == Anchor.DEPARTURE else None
            key = (rule.id, reservation.arrival, departure)
            if key not in moments:
                moments[key] = moment(
                    rule, arrival=reservation.arrival, departure=reservation.departure, zone=zone, now=now
                )
            if (at := moments[key]) is not None:
                yield _Wanted(reservation, rule, at)


def _cancel_unwanted(reservations: Sequence[Reservation], wanted: Sequence[_Wanted]) -> int:
    parameters: list[Any] = [
        [reservation.id for reservation in reservations],
        [w.reservation.id for w in wanted],
        [w.rule.id for w in wanted],
        [w.reservation.arrival for w in wanted],
    ]
    with connection.cursor() as cursor:
        cursor.execute(_CANCEL, parameters)
        ids = [row[0] for row in cursor.fetchall()]
    if ids:
        due.cancel(kind=KIND, ids=ids)
    return len(ids)


def _store(wanted: Sequence[_Wanted], *, over: Sequence[str], now: datetime) -> Plan:
    if not wanted:
        return Plan()
    with connection.cursor() as cursor:
        columns = [list(column) for column in zip(*map(_row, wanted), strict=True)]
        cursor.execute(_STORE, [*columns, list(over), now])
        stored = cursor.fetchall()
    due.cancel(kind=KIND, ids=[id_ for id_, _at, status in stored if status == ReminderStatus.SKIPPED])
    return _make_due(stored, now=now)


def _store_new(wanted: Sequence[_Wanted], *, now: datetime) -> Plan:
    """Nothing to compare with: COPY takes a third of the time."""
    if not wanted:
        return Plan()
    rows = [_row(w) for w in wanted]
    with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
        for row in rows:
            copy.write_row((*row, 0, ""))
    return _make_due([(row[0], row[4], row[6]) for row in rows], now=now)


def _make_due(stored: Sequence[tuple[uuid.UUID, datetime, str]], *, now: datetime) -> Plan:
    scheduled = [(id_, max(at, now)) for id_, at, status in stored if status == ReminderStatus.SCHEDULED]
    if scheduled:
        due.schedule(kind=KIND, items=scheduled)
    skipped = sum(status == ReminderStatus.SKIPPED for _id, _at, status in stored)
    return Plan(
        scheduled=len(scheduled), skipped=skipped, due=sum(due_at <= now for _id, due_at in scheduled)
    )


def _row(wanted: _Wanted) -> tuple[Any, ...]:
    """In the order of the statements above."""
    reservation, at = wanted.reservation, wanted.moment
    return (
        uuid7(),
        reservation.id,
        wanted.rule.id,
        reservation.arrival,
        at.planned_for,
        at.send_until,
        ReminderStatus.SKIPPED.value if at.is_skipped else ReminderStatus.SCHEDULED.value,
        SkipReason.LATE_BOOKING.value if at.is_skipped else "",
    )
