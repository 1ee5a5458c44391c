"""The errors of adapters and of the services that call them. API clients read the docstrings at /problems/<code>."""

from typing import Any

from django.utils.translation import gettext_lazy as _

from tenants.errors import DomainError


class PmsError(DomainError):
    """The hotel's property management system (PMS) did not do what it was asked to do.

    `counts_against_breaker` says whether the error shows that the PMS is overloaded or down, so that the circuit
    breaker counts it. `reached_pms` is false if no request was sent, so that the error shows nothing about the PMS.
    `is_definite` says whether the PMS has certainly not stored anything because of the request. `is_temporary` says
    whether the outcome can be found out, or the request can succeed, later.
    """

    code = "pms-error"
    status = 502
    title = _("The property management system reported an error")
    counts_against_breaker = False
    reached_pms = True
    is_definite = True
    is_temporary = False


class PmsUnavailable(PmsError):
    """The PMS could not be reached, or did not accept the request, so nothing was booked. Try again later.

    `retry_after` is the number of seconds after which a request can succeed, if the PMS named it.
    """

    code = "pms-unavailable"
    status = 503
    title = _("The property management system is not available")
    counts_against_breaker = True
    is_temporary = True

    def __init__(self, detail: str = "", *, retry_after: float | None = None, **extra: Any) -> None:
        super().__init__(detail, **extra)
        self.retry_after = retry_after


class PmsCircuitOpen(PmsUnavailable):
    """The PMS has failed repeatedly, so no requests are sent to it for some seconds."""

    code = "pms-circuit-open"
    title = _("Requests to the property management system are paused")
    counts_against_breaker = False
    reached_pms = False


class PmsRateLimited(PmsUnavailable):
    """The hotel has sent as many requests to the PMS as are allowed. Try again after `retry_after` seconds."""

    code = "pms-rate-limited"
    title = _("Too many requests to the property management system")
    counts_against_breaker = False
    reached_pms = False


class PmsOutcomeUnknown(PmsError):
    """The PMS did not send a clear response, so the booking may or may not have been made.

    The rooms stay held until the booking has been found in the PMS or a person has decided.
    """

    code = "pms-outcome-unknown"
    title = _("It is not clear whether the property management system has made the booking")
    counts_against_breaker = True
    is_definite = False
    is_temporary = True


class InvalidPmsResponse(PmsError):
    """The response of the PMS is not in the documented format."""

    code = "invalid-pms-response"
    title = _("The response of the property management system is not valid")
    counts_against_breaker = True
    is_temporary = True


class PmsAccessDenied(PmsError):
    """The PMS does not accept the access key of the hotel. A manager must enter a valid key in the admin."""

    code = "pms-access-denied"
    title = _("The property management system does not accept the access key")


class BookingRefused(PmsError):
    """The PMS refused the booking, so nothing was booked. The reason is in `detail`."""

    code = "booking-refused"
    status = 409
    title = _("The property management system refused the booking")


class PmsNotConfigured(PmsError):
    """The hotel has not entered the data that the connection to its PMS needs."""

    code = "pms-not-configured"
    status = 409
    title = _("The connection to the property management system is not set up")
    reached_pms = False


class RoomTypeNotMapped(PmsError):
    """No room type of the PMS is assigned to this room type. A manager must assign one in the admin."""

    code = "room-type-not-mapped"
    status = 422
    title = _("The room type is not assigned to a room type of the property management system")
    reached_pms = False


class NoPrice(PmsError):
    """The hotel has no price for this room type on all requested nights, or requires a longer stay."""

    code = "no-price"
    status = 422
    title = _("There is no price for this stay")


class PriceChanged(PmsError):
    """The price has changed since the guest saw it. `price` is the new price. Ask the guest to accept it."""

    code = "price-changed"
    status = 409
    title = _("The price has changed")


class BookingNotFound(DomainError):
    """The hotel has no booking with this reference."""

    code = "booking-not-found"
    status = 404
    title = _("Booking not found")


class BookingStateError(DomainError):
    """The status of the booking does not allow this operation. `booking_status` is the current status."""

    code = "booking-state-error"
    title = _("The booking's status does not allow this operation")
