"""Why a room could not be held, kept or moved. The code is the problem's type in the REST answer."""

from django.utils.translation import gettext_lazy as _

from tenants.errors import DomainError


class UnknownRoom(DomainError):
    """No room has this id, or the hotel has too few rooms of the type."""

    code = "unknown-room"
    status = 404
    title = _("There is no such room")


class UnknownHold(DomainError):
    """No hold or stay has this id: also where the id is another hotel's."""

    code = "unknown-hold"
    status = 404
    title = _("There is no such hold")


class NoRooms(DomainError):
    """Name at least one room and at most ten, each once."""

    code = "no-rooms"
    status = 422
    title = _("A hold needs one to ten different rooms")


class EmptyRange(DomainError):
    """`check_out` is the day of departure, so it is later than `check_in`."""

    code = "empty-range"
    status = 422
    title = _("The check-out must be after the check-in")


class DatesInPast(DomainError):
    """Today is the hotel's own date, by the database's clock; `today` says which."""

    code = "dates-in-past"
    status = 422
    title = _("The check-in is before today at the hotel")


class DatesTooFar(DomainError):
    """Nights after the year 2999 can't be held: mind the year."""

    code = "dates-too-far"
    status = 422
    title = _("The dates are too far off")


class RangeTooLong(DomainError):
    """A hold may last a year; a time out of service ten."""

    code = "range-too-long"
    status = 422
    title = _("The range has too many nights")


class RoomTaken(DomainError):
    """Something else has the room on some of these nights; `clashes` says which nights and what kind."""

    code = "room-taken"
    title = _("The room is taken on some of these nights")


class NoRoomFree(DomainError):
    """Too few rooms of the type are free on all of these nights; `next_free` is an arrival that would do."""

    code = "no-room-free"
    title = _("Too few rooms of this type are free on these nights")


class RoomContended(DomainError):
    """Others took and gave back the rooms faster than they could be had: asking again will do."""

    code = "room-contended"
    status = 503
    title = _("Too many others want these rooms right now")


class TooManyHolds(DomainError):
    """A client, and a guest's session at it, may hold so many rooms at once: `limit`."""

    code = "too-many-holds"
    status = 429
    title = _("Too many holds at once")


class WrongToken(DomainError):
    """The token that came with the hold is needed; it can't be had again."""

    code = "wrong-token"
    status = 403
    title = _("The token is not this hold's")


class StaleFencingToken(DomainError):
    """The fencing_token is an earlier hold's: whoever sent it has lost the room in between."""

    code = "stale-fencing-token"
    title = _("The fencing token is not this hold's")


class HoldExpired(DomainError):
    """Its time was up before this arrived: the room may be another's by now. Hold it again."""

    code = "hold-expired"
    status = 410
    title = _("The hold has expired")


class HoldReleased(DomainError):
    """Its owner, or staff, gave the room back: hold it again."""

    code = "hold-released"
    title = _("The hold was released")


class HoldConfirmed(DomainError):
    """What was held is a stay: it is cancelled with its booking, not released."""

    code = "hold-confirmed"
    title = _("The hold is a confirmed stay")


class HoldNotConfirmed(DomainError):
    """Only a confirmed stay is cancelled: what is still held is released, what has ended takes no room."""

    code = "hold-not-confirmed"
    title = _("The hold is no confirmed stay")


class NoExtensionsLeft(DomainError):
    """It was extended as often as it may be, or lives as long as any hold may."""

    code = "no-extensions-left"
    title = _("The hold can't be extended again")


class NotAStay(DomainError):
    """Only what takes a room can be moved or ended: not what has ended already."""

    code = "not-a-stay"
    title = _("This has ended and takes no room")


class NumberTaken(DomainError):
    """Room numbers are unique in a hotel."""

    code = "room-number-taken"
    title = _("Another room has this number")
