"""Sends the reminders that are due: claim, read again, render, send, mark.

What is committed when: a claim before the first mail, `handed_over_at` before each mail's first byte, its
outcome (with its line in the trail and its place in the due queue) right after; that it was sent, together
with the next mail's `handed_over_at`. `reminders.claims` says what a worker's death in between comes to.
"""

from __future__ import annotations

import contextlib
import json
import logging
import random
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

from django.db import InterfaceError, OperationalError, connection, transaction
from django.utils import timezone

from audit.services import record, record_many
from audit.sql import acting
from dlq.services import capture
from reminders import claims, events, guests, metrics
from reminders.claims import ClaimLost, Sent
from reminders.composing import compose
from reminders.errors import InvalidTemplate, OutcomeUnknown, RefusedForGood, RefusedForNow
from reminders.letterhead import letterhead
from reminders.models import Reminder, ReminderStatus, SkipReason, Suppression, Template
from reminders.planning import KIND
from reminders.rendering import choose
from reminders.schedule import applies
from reminders.transport import Transport
from tenants import due
from tenants.context import current_hotel
from tenants.errors import DomainError

logger = logging.getLogger(__name__)

SEND = "reminders.send"  # the name of its failures, and of what sends them again
#: Seconds. A batch starts no mail after this, so that a deploy or a slow server waits for little.
BUDGET = 60.0
#: Seconds that a mail, handed over or taken, waits for a database that restarts: what is known is not to be lost.
PATIENCE = 30.0
FIRST_DELAY, LONGEST_DELAY = timedelta(seconds=60), timedelta(minutes=15)


def send_due(ids: Sequence[uuid.UUID], *, transport: Transport | None = None) -> Counter[str]:
    """Send those of `ids` that are scheduled and due, and count what became of each.

    Not inside a transaction: claims and outcomes are committed one by one. `transport`: the caller's, which stays
    open.
    """
    started = time.monotonic()
    with transaction.atomic():
        claimed = claims.claim(ids, now=timezone.now())
        lost = Reminder.objects.select_related("reservation", "rule").filter(id__in=claimed.unknown)
        record_many(
            events.REMINDER_UNKNOWN,
            [(("reminder", one.id), {"error": "worker-lost", **events.naming(one)}) for one in lost],
        )
        due.cancel(kind=KIND, ids=claimed.over)
    outcomes = Counter({"unknown": len(claimed.unknown)})
    if claimed.reminders:
        with contextlib.nullcontext(transport) if transport else Transport() as open_transport:
            outcomes += _send(claimed.reminders, open_transport, until=started + BUDGET)
    for outcome, number in outcomes.items():
        metrics.OUTCOMES.labels(outcome=outcome).inc(number)
    metrics.BATCH.observe(time.monotonic() - started)
    return outcomes


def _send(reminders: Sequence[Reminder], transport: Transport, *, until: float) -> Counter[str]:
    outcomes: Counter[str] = Counter()
    waiting = list(reminders)
    batch = _Batch(waiting, recipients=[reminder.reservation.guest_email for reminder in waiting])
    try:
        while waiting and time.monotonic() < until:
            reminder = waiting.pop(0)
            outcome = batch.deliver(reminder, transport)
            outcomes[outcome] += 1
            if outcome == "server_away":  # what one mail met, the others would: each after its own time-out
                outcomes["put_back"] += len(waiting)
                _put_back(waiting, delay=FIRST_DELAY, error="The mail server can't be reached.")
                waiting = []
    finally:
        batch.mark()
    _put_back(waiting, delay=timedelta(0))
    return outcomes


def send_again(reminder: Reminder, *, recipient: str = "") -> None:
    """Send one that had failed; the caller has claimed it.

    Raises what keeps it from going, and marks it failed.
    """
    recipient = recipient or reminder.reservation.guest_email
    with Transport() as transport:
        batch = _Batch([reminder], recipients=[recipient])
        reason = batch.why_not(reminder, recipient=recipient)
        if reason is not None:
            _skip(reminder, reason)
            return
        try:
            batch.send(reminder, transport, recipient=recipient)
            batch.mark()
        except (RefusedForGood, RefusedForNow, InvalidTemplate, ClaimLost) as error:
            claims.finish(reminder, status=ReminderStatus.FAILED, last_error=str(error)[:500])
            raise
        except OutcomeUnknown as error:
            _unknown(reminder, error)


class _Batch:
    """What the reminders of one batch share, read once: templates, suppressed addresses.

    `sent` is the mail that the server has just taken: marked with the next one's hand-over, or by `mark`.
    """

    def __init__(self, reminders: Sequence[Reminder], *, recipients: Iterable[str]) -> None:
        self.sent: Sent | None = None
        addresses = {recipient.lower() for recipient in recipients}
        self.hotel = current_hotel()
        self.letterhead = letterhead(self.hotel)
        self.returning = guests.returning(
            [reminder.reservation for reminder in reminders], rules=[reminder.rule for reminder in reminders]
        )
        self.suppressed = set(
            Suppression.objects.filter(email__in=addresses - {""}).values_list("email", flat=True)
        )
        self.templates: dict[uuid.UUID, list[Template]] = {}
        for template in Template.objects.filter(rule_id__in={reminder.rule_id for reminder in reminders}):
            self.templates.setdefault(template.rule_id, []).append(template)

    def deliver(self, reminder: Reminder, transport: Transport) -> str:
        """Send one and mark it; returns the outcome's name. Only a database that is away makes it raise."""
        recipient = reminder.reservation.guest_email
        reason = self.why_not(reminder, recipient=recipient)
        if reason is not None:
            self.mark()
        if reason == SkipReason.WINDOW_PASSED and reminder.last_error:
            return _fail(
                reminder, RefusedForNow(f"Its window passed. The last answer: {reminder.last_error}")
            )
        if reason is not None:
            return _skip(reminder, reason)
        try:
            self.send(reminder, transport, recipient=recipient)
        except (ClaimLost, RefusedForGood, RefusedForNow, InvalidTemplate, OutcomeUnknown) as error:
            self.mark()
            return _went_wrong(reminder, error)
        return "sent"

    def why_not(self, reminder: Reminder, *, recipient: str) -> SkipReason | None:
        """Why this must not go there, as the reservation stands now."""
        reservation = reminder.reservation
        is_returning = reservation.id in self.returning
        if reminder.arrival != reservation.arrival or not applies(
            reminder.rule, reservation, is_returning=is_returning
        ):
            return SkipReason.RESERVATION_CHANGED
        if timezone.now() > reminder.send_until:
            return SkipReason.WINDOW_PASSED
        if not recipient:
            return SkipReason.NO_EMAIL
        if recipient.lower() in self.suppressed:
            return SkipReason.SUPPRESSED
        return SkipReason.GUEST_CAP if guests.is_over_cap(reminder, now=timezone.now()) else None

    def send(self, reminder: Reminder, transport: Transport, *, recipient: str) -> None:
        template = self._template(reminder)
        if template is None:
            raise InvalidTemplate(f"The rule {reminder.rule} has no template.")
        message = compose(reminder, template=template, recipient=recipient, letterhead=self.letterhead)
        transport.send(message, before_data=lambda: self._hand_over(reminder, recipient=recipient))
        now = timezone.now()
        data = {"attempts": reminder.attempts, **events.naming(reminder)}
        events.REMINDER_SENT.check_fields(data)
        self.sent = Sent(reminder, at=now, told=json.dumps({**acting(), "data": data}))
        metrics.LATENESS.observe(max(0.0, (now - reminder.planned_for).total_seconds()))

    def _hand_over(self, reminder: Reminder, *, recipient: str) -> None:
        try:
            _patiently(lambda: claims.hand_over(reminder, recipient=recipient, after=self.sent))
        except ClaimLost:
            self.sent = None
            raise
        self.sent = None

    def mark(self) -> None:
        """Write down what is known of the last mail."""
        if (sent := self.sent) is not None:
            _patiently(lambda: claims.mark_sent(sent))
            self.sent = None

    def _template(self, reminder: Reminder) -> Template | None:
        return choose(
            self.templates.get(reminder.rule_id, ()),
            languages=[reminder.reservation.language or self.hotel.language, self.hotel.language],
        )


def _patiently(write: Callable[[], None]) -> None:
    """Write what is no more than repeated if it was written already, though the database is away for a while."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return write()
        except (InterfaceError, OperationalError):
            if connection.in_atomic_block or time.monotonic() > deadline:
                raise
            connection.close()
            time.sleep(0.2)


_Trouble = ClaimLost | RefusedForGood | RefusedForNow | InvalidTemplate | OutcomeUnknown


def _went_wrong(reminder: Reminder, error: _Trouble) -> str:
    """The outcome's name. `server_away`: put back, and the others of its batch have nothing better to expect."""
    if isinstance(error, ClaimLost):
        # The reservation changed under our hands, or the claim went stale: look at it afresh.
        return _put_back([reminder], delay=timedelta(0))
    if isinstance(error, OutcomeUnknown):
        return _unknown(reminder, error)
    if isinstance(error, RefusedForNow):
        _put_back([reminder], delay=_backoff(reminder.attempts), error=str(error))
        return "server_away" if error.extra.get("smtp_code", 421) == 421 else "put_back"
    return _fail(reminder, error)


def _skip(reminder: Reminder, reason: SkipReason) -> str:
    with transaction.atomic():
        if claims.finish(reminder, status=ReminderStatus.SKIPPED, skip_reason=reason):
            record(
                events.REMINDER_SKIPPED,
                subject=("reminder", reminder.id),
                reason=reason.value,
                **events.naming(reminder),
            )
            due.cancel(kind=KIND, ids=[reminder.id])
            metrics.SKIPPED.labels(reason=reason.value).inc()
    return "skipped"


def _fail(reminder: Reminder, error: RefusedForGood | RefusedForNow | InvalidTemplate) -> str:
    with transaction.atomic():
        if claims.finish(reminder, status=ReminderStatus.FAILED, last_error=str(error)[:500]):
            recipient = reminder.reservation.guest_email
            Reminder.objects.filter(id=reminder.id).update(recipient=recipient)
            keep_failure(reminder, recipient=recipient, error=error)
            record(
                events.REMINDER_FAILED,
                subject=("reminder", reminder.id),
                error=error.code,
                **events.naming(reminder),
            )
            due.cancel(kind=KIND, ids=[reminder.id])
    return "failed"


def keep_failure(reminder: Reminder, *, recipient: str, error: DomainError) -> None:
    """Let it stand with the failures, where the address can be corrected and the mail sent again."""
    payload = {"reminder": str(reminder.id), "to": recipient}
    capture(kind="message", source="reminders", name=SEND, payload=payload, error=error, retry=False)


def _unknown(reminder: Reminder, error: OutcomeUnknown) -> str:
    with transaction.atomic():
        if claims.finish(reminder, status=ReminderStatus.UNKNOWN, last_error=str(error)[:500]):
            what = {"error": error.code, **events.naming(reminder)}
            record(events.REMINDER_UNKNOWN, subject=("reminder", reminder.id), **what)
            due.cancel(kind=KIND, ids=[reminder.id])
    logger.warning("reminder_unknown", extra={"reminder": str(reminder.id)})
    return "unknown"


def _put_back(reminders: Sequence[Reminder], *, delay: timedelta, error: str = "") -> str:
    """Back to `scheduled`, due after `delay`, but no later than the end of its window: then it is settled."""
    by_id = {reminder.id: reminder for reminder in reminders}
    now = timezone.now()
    with transaction.atomic():
        held = claims.put_back(reminders, error=error[:500])
        due.schedule(kind=KIND, items=[(id_, _due_again(by_id[id_], now + delay, now=now)) for id_ in held])
    return "put_back"


def _due_again(reminder: Reminder, wanted: datetime, *, now: datetime) -> datetime:
    return max(now, min(wanted, reminder.send_until + timedelta(seconds=1)))


def _backoff(attempts: int) -> timedelta:
    """A minute, then twice as long each time up to a quarter of an hour; spread, so that not all come at once."""
    delay: timedelta = min(FIRST_DELAY * 2.0 ** min(attempts - 1, 10), LONGEST_DELAY)
    return delay * random.uniform(0.8, 1.2)  # noqa: S311 - spreading load, not secrets
