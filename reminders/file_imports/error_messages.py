"""The error messages that staff see for uploaded files: the reason, and a hint about what to do."""

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
    """Return the detail of the error.

    If staff must make a choice for the file, a sentence that explains the choice is appended.
    """
    if not (isinstance(error, InvalidFile) and error.choice):
        return error.detail
    # This message needs no translation: in every language, a space separates the reason and the hint.
    return TranslatableMessage(
        "{reason} {hint}", reason=error.detail, hint=TranslatableMessage(_HINTS[error.choice])
    )
