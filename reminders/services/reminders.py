"""What people can do about one reminder, and what sending a failed one again means."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop

from audit.services import record
from dlq import services as failures
from dlq.errors import NonRetryableError
from dlq.models import WAITING_STATUSES, Failure
from dlq.registry import retry_handler
from hotelagent.core.messages import TranslatableMessage
from reminders import due_kinds, events
from reminders.errors import MailDeferred, MailRejected, ReminderNotFound, ReminderStateError
from reminders.local_time import hotel_time_zone
from reminders.models import Reminder, ReminderStatus, ReservationStatus, SkipReason
from reminders.planning.guest_history import has_reached_daily_cap, returning_guests
from reminders.planning.schedule import manual_send_deadline, rule_applies
from reminders.selectors import is_suppressed
from reminders.sending import claims, delivery, outcomes
from tenants.queue import due

Status = ReminderStatus

#: `unknown` is not among them: whoever wants it to go settles it first.
SENDABLE = (Status.SCHEDULED, Status.SKIPPED, Status.CANCELLED, Status.FAILED)

_A_MOMENT = timedelta(seconds=1)

#: What a person is told who asks for something that its status does not allow.
_STANDS = {
    Status.SCHEDULED: gettext_lazy("It is still to go."),
    Status.SENDING: gettext_lazy("It is being sent at this moment: look again in a minute."),
    Status.SENT: gettext_lazy("It was sent already."),
    Status.UNKNOWN: gettext_lazy("Nobody knows whether it was sent: say first whether it was."),
    Status.SKIPPED: gettext_lazy("It was skipped: it does not go unless somebody sends it now."),
    Status.CANCELLED: gettext_lazy("It is cancelled: it does not go unless somebody sends it now."),
    Status.FAILED: gettext_lazy("It failed: it does not go unless somebody sends it again."),
}


def cancel_reminder(*, reminder_id: uuid.UUID) -> Reminder:
    """Keep one from going; later changes of the reservation don't revive it.

    Raises ReminderNotFound, or ReminderStateError unless it is scheduled.
    """
    with transaction.atomic():
        reminder = _locked(reminder_id, expected=[Status.SCHEDULED])
        was, reminder.status, reminder.skip_reason = reminder.status, Status.CANCELLED, SkipReason.MANUAL
        reminder.save(update_fields=["status", "skip_reason"])
        due.cancel(kind=due_kinds.REMINDER, ids=[reminder.id])
        record(
            events.REMINDER_CANCELLED,
            subject=("reminder", reminder.id),
            was=was,
            **events.reminder_fields(reminder),
        )
    return reminder


def send_now(*, reminder_id: uuid.UUID) -> Reminder:
    """Have one go with the next tick, whatever its window said. A failed one goes by its failure, so that both end.

    Raises ReminderNotFound, or ReminderStateError for one that is being sent, was sent or may have been sent, and
    for one that would only be skipped: its stay has begun or no longer calls for it, its guest gets no mails.
    """
    now = timezone.now()
    with transaction.atomic():
        reminder = _locked(reminder_id, expected=SENDABLE)
        until = _last_call(reminder, now=now)
        if obstacle := _obstacle(reminder, until=until, now=now):
            raise ReminderStateError(obstacle, status_now=reminder.status)
        was = reminder.status
        if was == Status.FAILED and (failure := _open_failure(reminder)):
            failures.retry(failure_id=failure.id)
        else:
            reminder.status, reminder.skip_reason = Status.SCHEDULED, ""
            reminder.planned_for, reminder.send_until = min(reminder.planned_for, now), until
            reminder.save(update_fields=["status", "skip_reason", "planned_for", "send_until"])
            due.schedule(kind=due_kinds.REMINDER, items=[(reminder.id, now)])
        record(
            events.REMINDER_SEND_REQUESTED,
            subject=("reminder", reminder.id),
            was=was,
            **events.reminder_fields(reminder),
        )
    return reminder


def settle_unknown(*, reminder_id: uuid.UUID, was_sent: bool) -> Reminder:
    """Say what became of an `unknown` one: it was sent, or it was not and may be sent by `send_now`.

    Raises ReminderNotFound, or ReminderStateError unless it is unknown.
    """
    with transaction.atomic():
        reminder = _locked(reminder_id, expected=[Status.UNKNOWN])
        if was_sent:
            reminder.status, reminder.sent_at = Status.SENT, reminder.transmission_started_at
        else:
            reminder.status, reminder.skip_reason = Status.CANCELLED, SkipReason.MANUAL
        reminder.save(update_fields=["status", "sent_at", "skip_reason"])
        outcome = "was sent" if was_sent else "was not sent"
        record(
            events.REMINDER_SETTLED,
            subject=("reminder", reminder.id),
            outcome=outcome,
            **events.reminder_fields(reminder),
        )
    return reminder


@retry_handler(outcomes.SEND)
def send_failed_again(failure: Failure) -> None:
    """Send a failed reminder again, on the spot. Raises what keeps it from going.

    To the reservation's address as it is now, or to the one that somebody wrote into the failure's payload.
    One that was sent or called off meanwhile is done with.
    """
    reminder_id = uuid.UUID(failure.payload["reminder"])
    reminder = Reminder.objects.select_related("reservation", "rule").filter(id=reminder_id).first()
    if reminder is None:
        return
    if not _claim_failed(reminder):
        if Reminder.objects.filter(id=reminder_id, status=Status.SENDING).exists():
            raise MailDeferred(
                TranslatableMessage(
                    gettext_noop(
                        "It is being sent at this moment: what comes of that is seen at the next try."
                    )
                )
            )
        return
    corrected = failure.payload.get("to", "")
    try:
        delivery.send_again(reminder, recipient="" if corrected == reminder.recipient else corrected)
    except MailRejected as error:
        raise NonRetryableError(str(error)) from error


def _claim_failed(reminder: Reminder) -> bool:
    """Whether it is ours to send. Due again when the claim goes stale: should this worker die, the next one settles
    it as any other that was lost."""
    now = timezone.now()
    reminder.send_until = _last_call(reminder, now=now)
    with transaction.atomic():
        claimed = Reminder.objects.filter(id=reminder.id, status=Status.FAILED).update(
            status=Status.SENDING,
            attempts=F("attempts") + 1,
            claimed_at=now,
            transmission_started_at=None,
            send_until=reminder.send_until,
        )
        if claimed:
            due.schedule(kind=due_kinds.REMINDER, items=[(reminder.id, now + claims.STALE_AFTER + _A_MOMENT)])
            reminder.refresh_from_db(
                fields=["status", "attempts", "claimed_at", "transmission_started_at", "recipient"]
            )
    return bool(claimed)


def _last_call(reminder: Reminder, *, now: datetime) -> datetime:
    return manual_send_deadline(reminder.rule, arrival=reminder.arrival, zone=hotel_time_zone(), now=now)


def _locked(reminder_id: uuid.UUID, *, expected: Sequence[str]) -> Reminder:
    reminder = (
        Reminder.objects.select_for_update(of=("self",))
        .select_related("rule", "reservation")
        .filter(id=reminder_id)
        .first()
    )
    if reminder is None:
        raise ReminderNotFound
    if reminder.status not in expected:
        raise ReminderStateError(str(_STANDS[Status(reminder.status)]), status_now=reminder.status)
    return reminder


def _open_failure(reminder: Reminder) -> Failure | None:
    waiting = Failure.objects.filter(name=outcomes.SEND, status__in=WAITING_STATUSES)
    return waiting.filter(payload__reminder=str(reminder.id)).order_by("-id").first()


def _obstacle(reminder: Reminder, *, until: datetime, now: datetime) -> str | None:
    """Why a worker would skip it, and what could be done about that: who asks is told at once."""
    if now >= until:
        return _("The stay has begun: a reminder of it would only puzzle the guest.")
    return _uncalled_for(reminder) or _unwelcome(reminder, now=now)


def _uncalled_for(reminder: Reminder) -> str | None:
    reservation, rule = reminder.reservation, reminder.rule
    if reservation.status in {ReservationStatus.CANCELLED, ReservationStatus.NO_SHOW}:
        status = reservation.get_status_display()
        return _("The reservation is “%(status)s”: nobody is to come.") % {"status": status}
    if reminder.arrival != reservation.arrival:
        return _("The arrival is another day now: what is planned for that day tells the guest so.")
    if not rule.is_active:
        return _("Its rule is not active.")
    is_returning = reservation.id in returning_guests([reservation], rules=[rule])
    if not rule_applies(rule, reservation, is_returning=is_returning):
        return _("Its rule does not write to this guest or stay: look at what it asks for.")
    return None


def _unwelcome(reminder: Reminder, *, now: datetime) -> str | None:
    address = reminder.reservation.guest_email
    if not address:
        return _("The guest has no e-mail address: write one into the reservation.")
    if is_suppressed(address):
        return _(
            "The guest's address is on the suppression list: take it off if the guest wants mails again."
        )
    if has_reached_daily_cap(reminder, now=now):
        return _(
            "The guest has as many mails today as the rule allows (%(cap)d). Send it tomorrow, or change the rule."
        ) % {"cap": reminder.rule.guest_cap}
    return None
