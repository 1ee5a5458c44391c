"""Functions that send due reminders in batches.

The messages of a batch belong to one hotel and are sent one by one. If a worker stops, only the status of the message
that the worker was sending is unknown. README.md explains the states and the modules.
"""

from __future__ import annotations

import contextlib
import random
import time
import uuid
from collections import Counter
from collections.abc import Callable, Collection
from datetime import timedelta
from typing import Final

from django.db import Error as DatabaseError
from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext_noop as _

from hotelagent.core.messages import TranslatableMessage
from reminders import due_kinds, metrics
from reminders.errors import InvalidTemplate, MailDeferred, MailOutcomeUnknown, MailRejected
from reminders.mail.branding import branding_context
from reminders.mail.message_builder import build_message
from reminders.mail.rendering import select_template
from reminders.models import Reminder, SkipReason
from reminders.planning.guest_history import returning_guests
from reminders.sending import claims, outcomes
from reminders.sending.claims import ClaimedBatch
from reminders.sending.eligibility import skip_reason
from reminders.sending.outcomes import AcceptedMessage, ClaimLost
from reminders.sending.smtp import Transport
from tenants.context import current_hotel
from tenants.database.availability import is_database_unavailable
from tenants.queue import due
from tenants.queue.shutdown import is_shutting_down

#: A batch starts no new message after this number of seconds, so slow mail servers don't delay worker restarts.
TIME_LIMIT: float = 60.0
#: The number of seconds for which a worker retries storing an outcome while the database is unavailable.
DATABASE_TIMEOUT: float = 30.0

FIRST_DELAY: timedelta = timedelta(seconds=60)
MAX_DELAY: Final = timedelta(minutes=15)
NO_DELAY: Final = timedelta(0)

_SERVICE_NOT_AVAILABLE: Final = 421


def send_due(ids: Collection[uuid.UUID], *, transport: Transport | None = None) -> Counter[str]:
    """Send the reminders that are due. Return the number of reminders per outcome.

    Must not be called in a transaction, because claims and outcomes are committed one by one. The connection of a given
    `transport` stays open.
    """
    started = time.monotonic()
    counts: Counter[str] = Counter()
    claimed = claims.claim_due(ids, now=timezone.now())
    claimed_ids = {reminder.id for reminder in claimed.reminders} if claimed else set()
    if not_claimed := set(ids) - claimed_ids:
        counts["unknown"] += _settle_not_claimed(not_claimed)
    if claimed:
        with contextlib.nullcontext(transport) if transport else Transport() as open_transport:
            batch = Batch(claimed, open_transport)
            counts += batch.send_all(claimed.reminders, deadline=started + TIME_LIMIT)
    for outcome, number in counts.items():
        metrics.OUTCOMES.labels(outcome=outcome).inc(number)
    metrics.BATCH.observe(time.monotonic() - started)
    return counts


def _settle_not_claimed(ids: Collection[uuid.UUID]) -> int:
    """Process the due reminders that could not be claimed. Return the number of reminders that became `unknown`.

    A reminder becomes `unknown` if its worker stopped during the transmission.
    """
    with transaction.atomic():
        unknown = sum(
            outcomes.mark_unknown(
                reminder,
                error_code="worker-lost",
                error=TranslatableMessage(_("The worker stopped unexpectedly.")),
            )
            for reminder in claims.lock_lost_transmissions(ids)
        )
        due.cancel(kind=due_kinds.REMINDER, ids=claims.lock_finished(ids))
    return unknown


class Batch:
    """A batch of claimed reminders of the current hotel, which are sent one after the other.

    `_accepted` is a message that the mail server has accepted. The message is not stored as sent yet.
    `_sent_ids` contains the ids of sent reminders whose due items have not been removed yet.
    """

    def __init__(self, claimed: ClaimedBatch, transport: Transport) -> None:
        self._settings = claimed.settings
        self._suppressed = claimed.suppressed
        self._transport = transport
        self._hotel = current_hotel()
        self._branding = branding_context(self._hotel, branding=claimed.settings.branding)
        self._returning = returning_guests(
            [reminder.reservation for reminder in claimed.reminders],
            rules=[reminder.rule for reminder in claimed.reminders],
        )
        self._accepted: AcceptedMessage | None = None
        self._sent_ids: list[uuid.UUID] = []

    def send_all(self, reminders: Collection[Reminder], *, deadline: float) -> Counter[str]:
        """Send the reminders until `deadline` (a `time.monotonic()` value). Return the number of reminders per outcome.

        Reminders that remain after the deadline, or when the worker is shutting down, are due again immediately.
        """
        counts: Counter[str] = Counter()
        remaining = list(reminders)
        try:
            while remaining and time.monotonic() < deadline and not is_shutting_down():
                outcome = self._send_or_store_outcome(remaining.pop(0))
                counts[outcome] += 1
                if outcome == "server_unavailable" and remaining:
                    # The remaining reminders are postponed, because each attempt to connect may last until the timeout.
                    counts["postponed"] += len(remaining)
                    outcomes.postpone(
                        remaining,
                        delay=FIRST_DELAY,
                        error=TranslatableMessage(_("The mail server can't be reached.")),
                    )
                    remaining = []
        finally:
            self.store_sent()
        if remaining:
            outcomes.postpone(remaining, delay=NO_DELAY)
        return counts

    def _send_or_store_outcome(self, reminder: Reminder) -> str:
        """Send one reminder, or store why it was not sent. Return the name of the outcome.

        Raises only database errors.
        """
        recipient = reminder.reservation.guest_email
        reason = self.skip_reason(reminder, recipient=recipient)
        if reason is None:
            try:
                self.send(reminder, recipient=recipient)
            except (ClaimLost, MailRejected, MailDeferred, InvalidTemplate, MailOutcomeUnknown) as error:
                self.store_sent()
                return _store_error(reminder, error)
            return "sent"
        self.store_sent()
        if reason == SkipReason.WINDOW_PASSED and reminder.last_error:
            message = TranslatableMessage(
                _("The send window has ended. Last error: {error}"), error=reminder.error_message
            )
            outcomes.fail(reminder, MailDeferred(message))
            return "failed"
        outcomes.skip(reminder, reason)
        return "skipped"

    def skip_reason(self, reminder: Reminder, *, recipient: str) -> SkipReason | None:
        """Return why the reminder must not be sent to this address, or None if it may be sent."""
        return skip_reason(
            reminder,
            recipient=recipient,
            is_suppressed=reminder.id in self._suppressed,
            is_returning=reminder.reservation_id in self._returning,
            now=timezone.now(),
        )

    def send(self, reminder: Reminder, *, recipient: str) -> None:
        """Build and send the reminder's message, but do not store its new status yet.

        The status `sent` is stored in the commit that starts the next transmission, or by `store_sent`.

        Raises ClaimLost, InvalidTemplate, MailRejected, MailDeferred or MailOutcomeUnknown.
        """
        language = reminder.reservation.language or self._hotel.language
        template = select_template(
            self._settings.templates.get(reminder.rule_id, ()), languages=[language, self._hotel.language]
        )
        if template is None:
            raise InvalidTemplate(
                TranslatableMessage(
                    _(
                        "The rule {rule} has no template. Add a template to the rule, then send the reminder again."
                    ),
                    rule=TranslatableMessage(reminder.rule.name),
                )
            )
        message = build_message(reminder, template=template, recipient=recipient, branding=self._branding)
        self._transport.send(
            message, before_data=lambda: self._start_transmission(reminder, recipient=recipient)
        )
        self._accepted = AcceptedMessage.now(reminder)
        self._sent_ids.append(reminder.id)
        lateness = self._accepted.accepted_at - reminder.planned_for
        metrics.LATENESS.observe(max(0.0, lateness.total_seconds()))

    def _start_transmission(self, reminder: Reminder, *, recipient: str) -> None:
        try:
            _retry_while_database_is_unavailable(
                lambda: outcomes.start_transmission(reminder, recipient=recipient, accepted=self._accepted)
            )
        except ClaimLost:
            self._accepted = None
            raise
        self._accepted = None

    def store_sent(self) -> None:
        """Store that the last message of the batch was sent. Remove the due items of all sent reminders."""
        if self._accepted or self._sent_ids:
            _retry_while_database_is_unavailable(
                lambda: outcomes.finish_sent(self._accepted, sent_ids=self._sent_ids)
            )
            self._accepted, self._sent_ids = None, []


def _store_error(
    reminder: Reminder, error: ClaimLost | MailRejected | MailDeferred | InvalidTemplate | MailOutcomeUnknown
) -> str:
    """Store why a message was not sent. Return the name of the outcome.

    The outcome is `server_unavailable` if the mail server currently accepts no messages.
    """
    # ClaimLost means that the reservation has changed or that the worker's claim has expired.
    if isinstance(error, ClaimLost):
        outcomes.postpone([reminder], delay=NO_DELAY)
        return "postponed"
    if isinstance(error, MailOutcomeUnknown):
        outcomes.mark_unknown(reminder, error_code=error.code, error=error.detail)
        return "unknown"
    if isinstance(error, MailDeferred):
        outcomes.postpone([reminder], delay=_retry_delay(reminder.attempts), error=error.detail)
        is_unavailable = error.extra.get("smtp_code", _SERVICE_NOT_AVAILABLE) == _SERVICE_NOT_AVAILABLE
        return "server_unavailable" if is_unavailable else "postponed"
    outcomes.fail(reminder, error)
    return "failed"


def _retry_delay(attempts: int) -> timedelta:
    """Return the delay until the next attempt.

    The delay doubles with each attempt, up to `MAX_DELAY`. The resulting delay is changed at random by up to 20 %.
    """
    delay: timedelta = min(FIRST_DELAY * 2.0 ** min(attempts - 1, 10), MAX_DELAY)
    return delay * random.uniform(0.8, 1.2)  # noqa: S311 - jitter is not a secret


def _retry_while_database_is_unavailable(write: Callable[[], None]) -> None:
    """Call `write`. While the database is unavailable, repeat the call for up to `DATABASE_TIMEOUT` seconds.

    `write` must be idempotent.
    """
    deadline = time.monotonic() + DATABASE_TIMEOUT
    while True:
        try:
            return write()
        except DatabaseError as error:
            is_temporary = is_database_unavailable(error) and not connection.in_atomic_block
            if not is_temporary or time.monotonic() > deadline:
                raise
            connection.close()
            time.sleep(0.2)
