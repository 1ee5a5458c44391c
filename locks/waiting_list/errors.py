"""Errors of the waiting list."""

from tenants.errors import DomainError


class UnknownEntry(DomainError):
    """No entry of the waiting list has this id, or another client made it."""

    code = "unknown-waiting-entry"
    status = 404
    title = "There is no such entry in the waiting list"


class TooManyWaiting(DomainError):
    """A client, and a guest's session at it, may wait for so many rooms at once: `limit`."""

    code = "too-many-waiting"
    status = 429
    title = "Too many entries in the waiting list at once"


class NothingOffered(DomainError):
    """No room that fits has become free yet; the entry's `place` says where in the line it is."""

    code = "nothing-offered"
    title = "Nothing is offered yet"


class AlreadyClaimed(DomainError):
    """The token was given out with the first claim, and can't be had again."""

    code = "already-claimed"
    title = "The offer was taken up already"


class OfferMissed(DomainError):
    """The offer ran out, the entry was left, or its day of arrival has passed. Join again."""

    code = "offer-missed"
    status = 410
    title = "There is no offer any more"
