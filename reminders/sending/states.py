"""The state machine of a reminder: the events, the transitions, and the statement that applies an event.

The planner (`reminders.planning`) creates, moves and cancels reminders that have not been sent. Every other change of
status is one of the transitions in this module. Workers apply some events with the database functions in
`reminders/sql`, and all other events with `apply_event`.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

from reminders.models import Reminder, ReminderStatus

SCHEDULED, SENDING, SENT = ReminderStatus.SCHEDULED, ReminderStatus.SENDING, ReminderStatus.SENT
UNKNOWN, FAILED = ReminderStatus.UNKNOWN, ReminderStatus.FAILED
SKIPPED, CANCELLED = ReminderStatus.SKIPPED, ReminderStatus.CANCELLED


class SendingEvent(StrEnum):
    """The events that can change the status of a reminder."""

    #: A worker claimed a due reminder, in order to send it.
    CLAIMED = "claimed"
    #: A worker claimed a reminder whose previous worker stopped before the transmission had started.
    RECLAIMED = "reclaimed"
    #: The dead-letter queue retries a failed reminder. A worker has claimed the reminder, and will send it again.
    RETRY_CLAIMED = "retry_claimed"
    #: The worker is about to send the first byte of the message to the mail server.
    TRANSMISSION_STARTED = "transmission_started"
    #: The mail server accepted the message.
    ACCEPTED = "accepted"
    #: The reminder failed: the message can't be built, or was rejected, or errors lasted until the send window ended.
    ATTEMPT_FAILED = "attempt_failed"
    #: The reminder must not be sent, for one of the reasons in `SkipReason`.
    NOT_ELIGIBLE = "not_eligible"
    #: The message was not sent, and the reminder becomes due again later.
    POSTPONED = "postponed"
    #: The connection broke or the worker stopped after the transmission had started.
    OUTCOME_LOST = "outcome_lost"
    #: A person cancels the reminder.
    CANCELLED_MANUALLY = "cancelled_manually"
    #: A person requests that the reminder be sent now.
    SEND_REQUESTED = "send_requested"
    #: A person or the mail provider confirms that a reminder with the status `unknown` was sent.
    SETTLED_AS_SENT = "settled_as_sent"
    #: A person decides that a reminder with the status `unknown` was not sent.
    SETTLED_AS_NOT_SENT = "settled_as_not_sent"
    #: The mail provider reports that the message was not delivered.
    RETURNED = "returned"


#: Maps pairs of status and event to the next status. If a pair is missing, the event does not change the status.
TRANSITIONS: Final[Mapping[tuple[ReminderStatus, SendingEvent], ReminderStatus]] = {
    (SCHEDULED, SendingEvent.CLAIMED): SENDING,
    (SENDING, SendingEvent.RECLAIMED): SENDING,
    (FAILED, SendingEvent.RETRY_CLAIMED): SENDING,
    (SENDING, SendingEvent.TRANSMISSION_STARTED): SENDING,
    (SENDING, SendingEvent.ACCEPTED): SENT,
    (SENDING, SendingEvent.ATTEMPT_FAILED): FAILED,
    (SENDING, SendingEvent.NOT_ELIGIBLE): SKIPPED,
    (SENDING, SendingEvent.POSTPONED): SCHEDULED,
    (SENDING, SendingEvent.OUTCOME_LOST): UNKNOWN,
    # An `unknown` reminder can get a final status later, because its worker may receive a late server reply.
    (UNKNOWN, SendingEvent.ACCEPTED): SENT,
    (UNKNOWN, SendingEvent.ATTEMPT_FAILED): FAILED,
    (UNKNOWN, SendingEvent.SETTLED_AS_SENT): SENT,
    (UNKNOWN, SendingEvent.SETTLED_AS_NOT_SENT): CANCELLED,
    (SCHEDULED, SendingEvent.CANCELLED_MANUALLY): CANCELLED,
    (SCHEDULED, SendingEvent.SEND_REQUESTED): SCHEDULED,
    (SKIPPED, SendingEvent.SEND_REQUESTED): SCHEDULED,
    (CANCELLED, SendingEvent.SEND_REQUESTED): SCHEDULED,
    (FAILED, SendingEvent.SEND_REQUESTED): SCHEDULED,
    (SENDING, SendingEvent.RETURNED): FAILED,
    (SENT, SendingEvent.RETURNED): FAILED,
    (UNKNOWN, SendingEvent.RETURNED): FAILED,
}

#: The events that only the worker with the claim on the reminder may apply.
#: `apply_event` compares the reminder's `attempts` with the worker's value, to check that the claim is still valid.
CLAIM_EVENTS: Final = frozenset(
    {
        SendingEvent.ATTEMPT_FAILED,
        SendingEvent.NOT_ELIGIBLE,
        SendingEvent.POSTPONED,
        SendingEvent.OUTCOME_LOST,
    }
)


def apply_event(reminder: Reminder, event: SendingEvent, **values: Any) -> bool:
    """Store the new status of the reminder after the event, with `values`. Return whether the status was changed.

    An event from a worker changes nothing if the worker has lost its claim. `reminder` itself is not refreshed.
    """
    next_statuses = {status: after for (status, of), after in TRANSITIONS.items() if of is event}
    [next_status] = set(next_statuses.values())
    rows = Reminder.objects.filter(id=reminder.id, status__in=next_statuses)
    if event in CLAIM_EVENTS:
        rows = rows.filter(attempts=reminder.attempts)
    return rows.update(status=next_status, **values) == 1


def is_allowed(status: str, event: SendingEvent) -> bool:
    """Return whether the event changes a reminder in this status."""
    return (ReminderStatus(status), event) in TRANSITIONS
