"""Sends the reminders that are due: claim, read again, render, send, mark.

What is committed when: a claim before the first mail, `transmission_started_at` before each mail's first byte; that
it was sent, with its line in the trail, together with the next mail's `transmission_started_at`; its place in the due
queue with the last one's. `reminders.sending.claims` says what a worker's death in between comes to.
"""

from __future__ import annotations

import contextlib
import time
import uuid
from collections import Counter
from collections.abc import Callable, Collection, Sequence

from django.db import InterfaceError, OperationalError, connection, transaction
from django.utils import timezone
from django.utils.translation import gettext_noop as _

from audit.services import record_many
from audit.sql import acting
from hotelagent.core.messages import TranslatableMessage, message_to_json
from reminders import due_kinds, events, metrics
from reminders.errors import InvalidTemplate, MailDeferred, MailOutcomeUnknown, MailRejected
from reminders.mail.branding import branding_context
from reminders.mail.message_builder import build_message
from reminders.mail.rendering import select_template
from reminders.models import Reminder, ReminderStatus, SkipReason, Template
from reminders.planning.guest_history import has_reached_daily_cap, returning_guests
from reminders.planning.schedule import rule_applies
from reminders.selectors import is_suppressed
from reminders.sending import claims, mail_settings_cache, outcomes
from reminders.sending.claims import ClaimLost, Sent
from reminders.sending.mail_settings_cache import Shared
from reminders.sending.smtp import Transport
from tenants.context import current_hotel
from tenants.queue import due

#: Seconds. A batch starts no mail after this, so that a deploy or a slow server waits for little.
BUDGET = 60.0
#: Seconds that a mail, handed over or taken, waits for a database that restarts: what is known is not to be lost.
PATIENCE = 30.0


def send_due(ids: Sequence[uuid.UUID], *, transport: Transport | None = None) -> Counter[str]:
    """Send those of `ids` that are scheduled and due, and count what became of each.

    Not inside a transaction: claims and outcomes are committed one by one. `transport`: the caller's, which stays
    open.
    """
    started = time.monotonic()
    claimed = claims.claim(ids, now=timezone.now())
    counts: Counter[str] = Counter()
    mine = {reminder.id for reminder in claimed.reminders} if claimed else set()
    if others := set(ids) - mine:
        counts["unknown"] += _settle(others)
    if claimed:
        batch = _Batch(claimed.reminders, claimed.shared, suppressed=claimed.suppressed)
        with contextlib.nullcontext(transport) if transport else Transport() as open_transport:
            counts += _send(batch, claimed.reminders, open_transport, until=started + BUDGET)
    for outcome, number in counts.items():
        metrics.OUTCOMES.labels(outcome=outcome).inc(number)
    metrics.BATCH.observe(time.monotonic() - started)
    return counts


def _settle(ids: Collection[uuid.UUID]) -> int:
    """What becomes of those that could not be claimed. How many are unknown now."""
    with transaction.atomic():
        unknown = claims.give_up(ids)
        lost = Reminder.objects.select_related("reservation", "rule").filter(id__in=unknown)
        record_many(
            events.REMINDER_UNKNOWN,
            [(("reminder", one.id), {"error": "worker-lost", **events.reminder_fields(one)}) for one in lost],
        )
        due.cancel(kind=due_kinds.REMINDER, ids=claims.over(ids))
    return len(unknown)


def _send(
    batch: _Batch, reminders: Sequence[Reminder], transport: Transport, *, until: float
) -> Counter[str]:
    counts: Counter[str] = Counter()
    waiting = list(reminders)
    try:
        while waiting and time.monotonic() < until:
            reminder = waiting.pop(0)
            outcome = batch.deliver(reminder, transport)
            counts[outcome] += 1
            if outcome == "server_away":  # what one mail met, the others would: each after its own time-out
                counts["put_back"] += len(waiting)
                outcomes.put_back(
                    waiting,
                    delay=outcomes.FIRST_DELAY,
                    error=TranslatableMessage(_("The mail server can't be reached.")),
                )
                waiting = []
    finally:
        batch.mark()
    if waiting:
        outcomes.put_back(waiting, delay=outcomes.AT_ONCE)
    return counts


def send_again(reminder: Reminder, *, recipient: str = "") -> None:
    """Send one that had failed; the caller has claimed it.

    Raises what keeps it from going, and marks it failed.
    """
    recipient = recipient or reminder.reservation.guest_email
    suppressed = {reminder.id} if is_suppressed(recipient) else set()
    batch = _Batch([reminder], mail_settings_cache.read(), suppressed=suppressed)
    reason = batch.why_not(reminder, recipient=recipient)
    if reason is not None:
        outcomes.skip(reminder, reason)
        return
    with Transport() as transport:
        try:
            batch.send(reminder, transport, recipient=recipient)
            batch.mark()
        except ClaimLost:
            claims.finish(reminder, status=ReminderStatus.FAILED)
            raise
        except (MailRejected, MailDeferred, InvalidTemplate) as error:
            claims.finish(reminder, status=ReminderStatus.FAILED, last_error=message_to_json(error.detail))
            raise
        except MailOutcomeUnknown as error:
            outcomes.unknown(reminder, error)


class _Batch:
    """Mails of one hotel, one after the other.

    `sent` is the mail that the server has just taken: marked with the next one's hand-over, or by `mark`. `done`
    are those that are marked, and still stand in the due queue.
    """

    def __init__(
        self, reminders: Sequence[Reminder], shared: Shared, *, suppressed: Collection[uuid.UUID]
    ) -> None:
        self.sent: Sent | None = None
        self.done: list[uuid.UUID] = []
        self.hotel = current_hotel()
        self.shared = shared
        self.suppressed = suppressed
        self.branding = branding_context(self.hotel, branding=shared.branding)
        self.returning = returning_guests(
            [reminder.reservation for reminder in reminders], rules=[reminder.rule for reminder in reminders]
        )

    def deliver(self, reminder: Reminder, transport: Transport) -> str:
        """Send one and mark it; returns the outcome's name. Only a database that is away makes it raise."""
        recipient = reminder.reservation.guest_email
        reason = self.why_not(reminder, recipient=recipient)
        if reason is not None:
            self.mark()
        if reason == SkipReason.WINDOW_PASSED and reminder.last_error:
            why = TranslatableMessage(
                _("Its window passed. The last answer: {answer}"), answer=reminder.error_message
            )
            return outcomes.fail(reminder, MailDeferred(why))
        if reason is not None:
            return outcomes.skip(reminder, reason)
        try:
            self.send(reminder, transport, recipient=recipient)
        except (ClaimLost, MailRejected, MailDeferred, InvalidTemplate, MailOutcomeUnknown) as error:
            self.mark()
            return outcomes.went_wrong(reminder, error)
        return "sent"

    def why_not(self, reminder: Reminder, *, recipient: str) -> SkipReason | None:
        """Why this must not go there, as the reservation stands now."""
        reservation = reminder.reservation
        is_returning = reservation.id in self.returning
        if reminder.arrival != reservation.arrival or not rule_applies(
            reminder.rule, reservation, is_returning=is_returning
        ):
            return SkipReason.RESERVATION_CHANGED
        if timezone.now() > reminder.send_until:
            return SkipReason.WINDOW_PASSED
        if not recipient:
            return SkipReason.NO_EMAIL
        if reminder.id in self.suppressed:
            return SkipReason.SUPPRESSED
        return SkipReason.GUEST_CAP if has_reached_daily_cap(reminder, now=timezone.now()) else None

    def send(self, reminder: Reminder, transport: Transport, *, recipient: str) -> None:
        template = self._template(reminder)
        if template is None:
            raise InvalidTemplate(
                TranslatableMessage(
                    _("The rule {rule} has no template."), rule=TranslatableMessage(reminder.rule.name)
                )
            )
        message = build_message(reminder, template=template, recipient=recipient, branding=self.branding)
        transport.send(message, before_data=lambda: self._hand_over(reminder, recipient=recipient))
        now = timezone.now()
        data = {"attempts": reminder.attempts, **events.reminder_fields(reminder)}
        events.REMINDER_SENT.check_fields(data)
        self.sent = Sent(reminder, at=now, told={**acting(), "data": data})
        self.done.append(reminder.id)
        metrics.LATENESS.observe(max(0.0, (now - reminder.planned_for).total_seconds()))

    def _hand_over(self, reminder: Reminder, *, recipient: str) -> None:
        try:
            _patiently(lambda: claims.hand_over(reminder, recipient=recipient, after=self.sent))
        except ClaimLost:
            self.sent = None
            raise
        self.sent = None

    def mark(self) -> None:
        """Write down what is known of the last mail, and that those sent are due no more."""
        if self.sent or self.done:
            _patiently(lambda: claims.mark_sent(self.sent, done=self.done))
            self.sent, self.done = None, []

    def _template(self, reminder: Reminder) -> Template | None:
        return select_template(
            self.shared.templates.get(reminder.rule_id, ()),
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
