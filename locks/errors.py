"""Why a room could not be held, kept or moved. The code is the problem's type in the REST answer."""

from tenants.errors import DomainError


class UnknownRoom(DomainError):
    code = "unknown-room"
    status = 404
    title = "There is no such room"


class UnknownHold(DomainError):
    """No hold or stay has this id: also where the id is another hotel's."""

    code = "unknown-hold"
    status = 404
    title = "There is no such hold"


class NoRooms(DomainError):
    code = "no-rooms"
    status = 422
    title = "A hold needs one to ten different rooms"


class EmptyRange(DomainError):
    code = "empty-range"
    status = 422
    title = "The check-out must be after the check-in"


class DatesInPast(DomainError):
    code = "dates-in-past"
    status = 422
    title = "The check-in is before today at the hotel"


class RangeTooLong(DomainError):
    code = "range-too-long"
    status = 422
    title = "The range has too many nights"


class RoomTaken(DomainError):
    """Something else has the room on some of these nights; `clashes` says which nights and what kind."""

    code = "room-taken"
    title = "The room is taken on some of these nights"


class NoRoomFree(DomainError):
    """Too few rooms of the type are free on all of these nights; `next_free` is an arrival that would do."""

    code = "no-room-free"
    title = "Too few rooms of this type are free on these nights"


class RoomContended(DomainError):
    """Others took and gave back the rooms faster than they could be had: asking again will do."""

    code = "room-contended"
    status = 503
    title = "Too many others want these rooms right now"


class TooManyHolds(DomainError):
    code = "too-many-holds"
    status = 429
    title = "Too many holds at once"


class WrongToken(DomainError):
    code = "wrong-token"
    status = 403
    title = "The token is not this hold's"


class StaleFence(DomainError):
    """The fence is an earlier hold's: whoever sent it has lost the room in between."""

    code = "stale-fence"
    title = "The fence is not this hold's"


class HoldExpired(DomainError):
    code = "hold-expired"
    status = 410
    title = "The hold has expired"


class HoldReleased(DomainError):
    code = "hold-released"
    title = "The hold was released"


class HoldConfirmed(DomainError):
    code = "hold-confirmed"
    title = "The hold is a confirmed stay"


class NoExtensionsLeft(DomainError):
    code = "no-extensions-left"
    title = "The hold can't be extended again"


class NotAStay(DomainError):
    """Only what takes a room can be moved or ended: not what has ended already."""

    code = "not-a-stay"
    title = "This has ended and takes no room"


class NumberTaken(DomainError):
    code = "room-number-taken"
    title = "Another room has this number"
