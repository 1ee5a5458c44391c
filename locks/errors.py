"""Errors of rooms, holds, stays and closures."""

from django.utils.translation import gettext_lazy as _

from tenants.errors import DomainError


class RoomNotFound(DomainError):
    """No room has this id, or the hotel has fewer rooms of this type than requested."""

    code = "room-not-found"
    status = 404
    title = _("Room not found")


class HoldNotFound(DomainError):
    """No hold, stay or closure has this id."""

    code = "hold-not-found"
    status = 404
    title = _("Hold not found")


class InvalidRoomPlan(DomainError):
    """The rooms cannot be generated, because two rooms could get the same number, or there would be too many rooms."""

    code = "invalid-room-plan"
    status = 422
    title = _("The rooms cannot be generated")


class InvalidRoomSelection(DomainError):
    """A hold must have one to ten rooms, and no room may be listed twice."""

    code = "invalid-room-selection"
    status = 422
    title = _("The selection of rooms is not valid")


class InvalidDateRange(DomainError):
    """The check-out date must be after the check-in date, and the stay must not be longer than the limit.

    The limit is 366 nights for a hold and ten years for a closure.
    """

    code = "invalid-date-range"
    status = 422
    title = _("The dates are not valid")


class InvalidCheckIn(DomainError):
    """The check-in date is in the past in the hotel's time zone. `today` is the hotel's current date."""

    code = "invalid-check-in"
    status = 422
    title = _("The check-in date is in the past")


class RoomUnavailable(DomainError):
    """A hold, a stay or a closure occupies one of the rooms on some of the nights.

    `clashes` lists these nights and what occupies the room. `next_free` is the next check-in date on which the rooms
    are free for the whole stay. `alternatives` lists other free rooms of the same types.
    """

    code = "room-unavailable"
    title = _("The room is not available on these dates")


class RoomTypeUnavailable(DomainError):
    """Not enough rooms of this type are free on all of the requested nights.

    `free` is the number of free rooms, and `next_free` is the next check-in date on which enough rooms are free for the
    whole stay.
    """

    code = "room-type-unavailable"
    title = _("Not enough rooms of this type are available on these dates")


class StayBelongsToReservation(DomainError):
    """The stay can only change together with its reservation. `reservation` is the URL of the reservation."""

    code = "stay-belongs-to-reservation"
    status = 409
    title = _("The stay belongs to a reservation")


class RoomContention(DomainError):
    """Other clients requested the same rooms at the same time, and several attempts failed. Try again."""

    code = "room-contention"
    status = 503
    title = _("Too many clients are requesting these rooms")


class TooManyHolds(DomainError):
    """The client or the guest session would hold more rooms than allowed. `limit` is the maximum number of rooms."""

    code = "too-many-holds"
    status = 429
    title = _("Too many holds")


class InvalidHoldToken(DomainError):
    """The token does not match the token that was returned with the hold."""

    code = "invalid-hold-token"
    status = 403
    title = _("The token does not belong to this hold")


class StaleFencingToken(DomainError):
    """The hold has a newer fencing token. Retrieve the hold again."""

    code = "stale-fencing-token"
    title = _("The fencing token is out of date")


class HoldExpired(DomainError):
    """The hold expired, so another client may have acquired the room. Acquire the room again."""

    code = "hold-expired"
    status = 410
    title = _("The hold has expired")


class HoldStateError(DomainError):
    """The status of the hold does not allow this operation. `hold_status` is the current status of the hold."""

    code = "hold-state-error"
    title = _("The hold's status does not allow this operation")


class TooManyExtensions(DomainError):
    """The hold has no extensions left, or has reached its maximum lifetime."""

    code = "too-many-extensions"
    title = _("The hold can't be extended again")


class AllocationStateError(DomainError):
    """The hold, stay or closure has ended, so it can't be moved, cancelled or released."""

    code = "allocation-state-error"
    title = _("The hold, stay or closure has already ended")


class RoomNumberConflict(DomainError):
    """Another room of the hotel has this number."""

    code = "room-number-conflict"
    title = _("The room number is already in use")
