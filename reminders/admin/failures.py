"""The titles and links that the admin pages for the dead-letter queue display for failed reminders and imports."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from dlq.events import ERRORS, FIELDS, NAMES, SOURCES
from dlq.groups.titles import declare_title
from dlq.kinds.subjects import Subject, subject_finder
from dlq.models import Failure
from reminders.errors import InvalidTemplate, MailDeferred, MailRejected
from reminders.events import ERROR_LABELS
from reminders.file_imports.services import TASK as IMPORT_TASK
from reminders.models import FileImport, Reminder
from reminders.sending.outcomes import FAILURE_NAME
from tenants.context import current_tenant

NAMES |= {
    "reminders.tasks.count_all_mails": gettext_lazy("counting the e-mails of all hotels"),
    "reminders.tasks.count_mails": gettext_lazy("counting the e-mails of a hotel"),
    FAILURE_NAME: gettext_lazy("sending a reminder"),
    IMPORT_TASK: gettext_lazy("importing a file"),
    "reminders.tasks.delete_expired_files": gettext_lazy("deleting old files"),
    "reminders.tasks.replan_all": gettext_lazy("planning all reminders again"),
    "reminders.tasks.replan_reservations": gettext_lazy("planning a reservation's reminders again"),
    "reminders.tasks.send_due": gettext_lazy("sending reminders"),
    "reminders.tasks.sync_calendar": gettext_lazy("importing a linked calendar"),
    "reminders.tasks.sync_calendars": gettext_lazy("importing linked calendars"),
}
FIELDS["/to"] = gettext_lazy("e-mail address")
SOURCES["reminders"] = gettext_lazy("Reminders")
declare_title(
    FAILURE_NAME,
    title=gettext_lazy("Reminders could not be sent"),
    count=lambda number: ngettext("%(count)d reminder", "%(count)d reminders", number) % {"count": number},
)
declare_title(
    IMPORT_TASK,
    title=gettext_lazy("Files could not be imported"),
    count=lambda number: ngettext("%(count)d file", "%(count)d files", number) % {"count": number},
)
for error in (MailRejected, MailDeferred, InvalidTemplate):
    ERRORS[f"{error.__module__}.{error.__qualname__}"] = ERROR_LABELS[error.code]


@subject_finder(FAILURE_NAME)
def subjects_of_failures(failures: Sequence[Failure]) -> dict[UUID, Subject]:
    """Return the title and the link that the page shows for each failed reminder, by failure id.

    The title names the reminder. The link leads to the reservation, where staff can correct the e-mail address.
    """
    # Failures of the platform itself belong to no hotel, so they can't refer to reminders.
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


@subject_finder(IMPORT_TASK)
def subjects_of_failed_imports(failures: Sequence[Failure]) -> dict[UUID, Subject]:
    """Return the file name and the link that the page shows for each failed file import, by failure id."""
    if current_tenant().id is None:
        return {}
    import_ids = {failure.id: _parse_uuid(_first_import(failure.payload)) for failure in failures}
    files = FileImport.objects.only("kind", "file_name").in_bulk({id_ for id_ in import_ids.values() if id_})
    return {
        failure_id: Subject(
            title=files[import_id].file_name,
            url=reverse(f"admin:reminders_{files[import_id].admin_model}_change", args=[import_id]),
        )
        for failure_id, import_id in import_ids.items()
        if import_id in files
    }


def _first_import(payload: dict[str, Any]) -> object:
    """Return the id of the imported file, which is the first id in the arguments of the failed task.

    Return None if the payload contains no such id. Other systems can report failures with any payload.
    """
    match payload.get("args"):
        case [[import_id, *_others]]:
            return import_id
    return None


def _parse_uuid(value: object) -> UUID | None:
    """Return the value as a UUID, or None if it is not a UUID.

    The value comes from the payload of a failure, and other systems can report failures with any payload.
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
