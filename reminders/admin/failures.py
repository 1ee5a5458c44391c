"""Labels and subjects of failed reminders in the dead-letter queue."""

from collections.abc import Sequence
from uuid import UUID

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from dlq.events import ERRORS, NAMES, SOURCES
from dlq.models import Failure
from dlq.registry import Subject, subject_finder
from reminders.errors import InvalidTemplate, MailDeferred, MailRejected
from reminders.events import ERROR_LABELS
from reminders.models import Reminder
from reminders.sending.outcomes import FAILURE_NAME
from tenants.context import current_tenant

NAMES[FAILURE_NAME] = gettext_lazy("sending a reminder")
SOURCES["reminders"] = gettext_lazy("Reminders")
for error in (MailRejected, MailDeferred, InvalidTemplate):
    ERRORS[f"{error.__module__}.{error.__qualname__}"] = ERROR_LABELS[error.code]


@subject_finder(FAILURE_NAME)
def subjects_of_failures(failures: Sequence[Failure]) -> dict[UUID, Subject]:
    """Return the reminder of each failure and a link to its reservation.

    Staff can correct the address there.
    """
    # Failures of the platform (outside of hotels) come from other systems and have no reminder.
    if current_tenant().id is None:
        return {}
    reminder_ids = {failure.id: _parse_uuid(failure.payload.get("reminder")) for failure in failures}
    reminders = Reminder.objects.select_related("rule", "reservation").in_bulk(
        {reminder_id for reminder_id in reminder_ids.values() if reminder_id}
    )
    return {
        failure_id: _subject(reminders[reminder_id])
        for failure_id, reminder_id in reminder_ids.items()
        if reminder_id in reminders
    }


def _parse_uuid(value: object) -> UUID | None:
    """Return the value as a UUID, or None if it is not valid.

    Other systems may post failures with any payload.
    """
    try:
        return UUID(str(value))
    except ValueError:
        return None


def _subject(reminder: Reminder) -> Subject:
    return Subject(
        title=_("Reminder “%(rule)s” for %(reservation)s")
        % {"rule": reminder.rule, "reservation": reminder.reservation},
        url=reverse("admin:reminders_reservation_change", args=[reminder.reservation_id]),
    )
