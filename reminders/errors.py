"""What can go wrong with reservations and reminders, said so that a person and a client can act on it."""

from tenants.errors import DomainError


class ReservationNotFound(DomainError):
    code = "reservation-not-found"
    status = 404
    title = "There is no such reservation"


class InvalidReservation(DomainError):
    """`extra["errors"]` says which fields are wrong and why."""

    code = "invalid-reservation"
    status = 422
    title = "The reservation can't be stored as it is"


class ReservationChanged(DomainError):
    """Somebody changed it since the version that the caller has seen; `version` is the one it has now."""

    code = "reservation-changed"
    status = 412
    title = "The reservation is not as you have seen it"


class WrongReservationState(DomainError):
    """The reservation is not in a state that the act starts from."""

    code = "wrong-reservation-state"
    title = "The reservation's status does not allow this"


class ReminderNotFound(DomainError):
    code = "reminder-not-found"
    status = 404
    title = "There is no such reminder"


class WrongReminderState(DomainError):
    """The reminder is not in a state that the act starts from."""

    code = "wrong-reminder-state"
    title = "The reminder's status does not allow this"


class InvalidTemplate(DomainError):
    code = "invalid-template"
    status = 422
    title = "The template can't be used as it is"


class InvalidLogo(DomainError):
    code = "invalid-logo"
    status = 422
    title = "The picture can't be used as a logo"


class InvalidColour(DomainError):
    code = "invalid-colour"
    status = 422
    title = "This is no colour"


class SuppressionNotFound(DomainError):
    code = "suppression-not-found"
    status = 404
    title = "The address is not on the suppression list"


class RefusedForGood(DomainError):
    """The mail server said no, and will say so again: the address or the mail has to change."""

    code = "refused-for-good"
    status = 502
    title = "The mail server refused it for good"


class RefusedForNow(DomainError):
    """The mail server could not be reached, or said "not now": nothing was sent."""

    code = "refused-for-now"
    status = 503
    title = "The mail server can't take it now"


class OutcomeUnknown(DomainError):
    """The connection broke after the mail was handed over and before the server said whether it took it."""

    code = "outcome-unknown"
    status = 502
    title = "The mail server may or may not have taken it"


class UnreadableFile(DomainError):
    code = "unreadable-file"
    status = 422
    title = "The file can't be imported"


class CalendarNotRead(DomainError):
    """The channel's calendar could not be had at its address. The detail says what to do, and not the address."""

    code = "calendar-not-read"
    status = 422
    title = "The calendar can't be read at this address"


class CalendarKnown(DomainError):
    code = "calendar-known"
    status = 409
    title = "The hotel reads this calendar already"


class CalendarNotFound(DomainError):
    code = "calendar-not-found"
    status = 404
    title = "There is no such calendar address"
