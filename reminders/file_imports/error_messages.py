"""The error messages of files as staff read them: the reason, and how to make the missing choice on the page."""

from __future__ import annotations

from django.utils.translation import gettext_noop as _

from hotelagent.core.messages import TranslatableMessage
from reminders.errors import FileChoice, InvalidFile
from tenants.errors import DomainError

_HINTS = {
    FileChoice.COLUMNS: _("Choose a column for each required field."),
    FileChoice.DATE_FORMAT: _("Choose how the dates are written."),
    FileChoice.ENCODING: _("Save the file as CSV with the encoding UTF-8, and try again."),
    FileChoice.HOTEL: _("Choose the hotel whose bookings you want to import."),
}


def error_message(error: DomainError) -> str:
    """Return the detail of the error, followed by a sentence that says how to make the choice that the file needs."""
    if not (isinstance(error, InvalidFile) and error.choice):
        return error.detail
    # The text between the two parts is the same in all languages, so this msgid is in no catalogue.
    return TranslatableMessage(
        "{reason} {hint}", reason=error.detail, hint=TranslatableMessage(_HINTS[error.choice])
    )
