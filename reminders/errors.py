"""The errors of reservations, calendars and reminders.

`code` is the last part of the URL that identifies the type of the error in API responses (`type` in RFC 9457).
"""

from enum import StrEnum
from typing import Any

from django.utils.translation import gettext_lazy as _

from tenants.errors import DomainError


class ReservationNotFound(DomainError):
    """No reservation of this hotel has this id or number."""

    code = "reservation-not-found"
    status = 404
    title = _("Reservation not found")


class InvalidReservation(DomainError):
    """Some fields of the reservation are not valid. `errors` maps each of these fields to its error messages."""

    code = "invalid-reservation"
    status = 422
    title = _("The reservation is not valid")


class ReservationConflict(DomainError):
    """The reservation no longer has the version that the client sent in `If-Match`."""

    code = "reservation-conflict"
    status = 412
    title = _("The reservation was changed by someone else")


class StayConflict(DomainError):
    """The stay that the client wants to assign to a reservation belongs to another reservation."""

    code = "stay-conflict"
    status = 409
    title = _("The stay belongs to another reservation")


class ReservationStateError(DomainError):
    """The operation is not allowed in the current status of the reservation. `status_now` contains this status."""

    code = "reservation-state-error"
    title = _("The status of the reservation does not allow this operation")


class ReminderNotFound(DomainError):
    """No reminder of this hotel has this id."""

    code = "reminder-not-found"
    status = 404
    title = _("Reminder not found")


class ReminderStateError(DomainError):
    """The operation is not allowed in the current status of the reminder. `status_now` contains this status."""

    code = "reminder-state-error"
    title = _("The status of the reminder does not allow this operation")


class InvalidTemplate(DomainError):
    """The template has a syntax error or uses an unknown variable.

    `part` names the part of the template that has the error: `subject`, `text` or `html`.
    """

    code = "invalid-template"
    status = 422
    title = _("The template is not valid")


class InvalidLogo(DomainError):
    """The file is not a PNG or JPEG image, or it exceeds the limits for file size or dimensions."""

    code = "invalid-logo"
    status = 422
    title = _("The image can't be used as a logo")


class InvalidColour(DomainError):
    """The colour is not written as `#rrggbb`."""

    code = "invalid-colour"
    status = 422
    title = _("The colour is not valid")


class SuppressionNotFound(DomainError):
    """The address is not on the hotel's suppression list."""

    code = "suppression-not-found"
    status = 404
    title = _("The address is not on the suppression list")


class MailRejected(DomainError):
    """The mail server rejected the message permanently. The address or the message must be corrected."""

    code = "mail-rejected"
    status = 502
    title = _("The mail server rejected the message")


class MailDeferred(DomainError):
    """The mail server could not be reached, or it refused the message temporarily.

    The message was not sent.
    """

    code = "mail-deferred"
    status = 503
    title = _("The mail server can't accept the message at the moment")


class MailOutcomeUnknown(DomainError):
    """The connection was lost after the transmission had started and before the mail server replied."""

    code = "mail-outcome-unknown"
    status = 502
    title = _("The mail server may have accepted the message")


class FileChoice(StrEnum):
    """A choice that a person has to make before a file can be imported.

    For each choice, the admin page and the command `import_reservations` have a text that says how to make the choice.
    """

    COLUMNS = "columns"
    DATE_FORMAT = "date-format"
    ENCODING = "encoding"
    HOTEL = "hotel"


class InvalidFile(DomainError):
    """The file can't be read as a file of bookings (CSV, Excel or JSON Lines) or as an iCalendar file."""

    code = "invalid-file"
    status = 422
    title = _("The file can't be imported")

    def __init__(self, detail: str = "", *, choice: FileChoice | None = None, **extra: Any) -> None:
        super().__init__(detail, **extra)
        self.choice = choice


class FileImportNotFound(DomainError):
    """No uploaded file of this hotel has this id. Uploaded files are deleted after a few days."""

    code = "file-import-not-found"
    status = 404
    title = _("Uploaded file not found")


class FileImportStateError(DomainError):
    """The operation is not allowed in the current status of the uploaded file. `status_now` contains this status."""

    code = "file-import-state-error"
    title = _("The status of the file does not allow this operation")


class InvalidCalendarUrl(DomainError):
    """The text is not a public `https` or `webcal` URL."""

    code = "invalid-calendar-url"
    status = 422
    title = _("The calendar URL is not valid")


class CalendarUnavailable(DomainError):
    """The calendar could not be fetched. The error detail says what to do and never contains the secret URL."""

    code = "calendar-unavailable"
    status = 502
    title = _("The calendar can't be fetched")


class CalendarConflict(DomainError):
    """The URL is already linked to a room of this hotel."""

    code = "calendar-conflict"
    title = _("The calendar is already linked")


class CalendarNotFound(DomainError):
    """No linked calendar of this hotel has this id."""

    code = "calendar-not-found"
    status = 404
    title = _("Linked calendar not found")
