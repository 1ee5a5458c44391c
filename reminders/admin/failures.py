"""What a failed reminder is about: shown with the failure, with the way to the guest's address."""

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
from reminders.sending.outcomes import SEND
from tenants.context import current_tenant

NAMES[SEND] = gettext_lazy("sending a reminder")
SOURCES["reminders"] = gettext_lazy("Reminders")
for kind in (MailRejected, MailDeferred, InvalidTemplate):
    ERRORS[f"{kind.__module__}.{kind.__qualname__}"] = ERROR_LABELS[kind.code]


@subject_finder(SEND)
def reminders_behind(failures: Sequence[Failure]) -> dict[UUID, Subject]:
    if current_tenant().id is None:  # another system's failure of this name: the platform has no reminders
        return {}
    ids = {failure.id: _uuid(failure.payload.get("reminder")) for failure in failures}
    wanted = {reminder_id for reminder_id in ids.values() if reminder_id}
    by_id = Reminder.objects.select_related("rule", "reservation").in_bulk(wanted)
    return {
        failure_id: _subject(by_id[reminder_id])
        for failure_id, reminder_id in ids.items()
        if reminder_id in by_id
    }


def _uuid(value: object) -> UUID | None:
    """None for what is none: other systems may post failures under any name."""
    try:
        return UUID(str(value))
    except ValueError:
        return None


def _subject(reminder: Reminder) -> Subject:
    return Subject(
        title=_("Reminder “%(rule)s” to %(reservation)s")
        % {"rule": reminder.rule, "reservation": reminder.reservation},
        url=reverse("admin:reminders_reservation_change", args=[reminder.reservation_id]),
    )
