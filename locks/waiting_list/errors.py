"""Errors of the waiting list."""

from tenants.errors import DomainError


class WaitingListEntryNotFound(DomainError):
    """No entry of the waiting list has this id, or another client made it."""

    code = "waiting-list-entry-not-found"
    status = 404
    title = "There is no such entry in the waiting list"


class TooManyWaitingListEntries(DomainError):
    """A client, and a guest's session at it, may wait for so many rooms at once: `limit`."""

    code = "too-many-waiting-list-entries"
    status = 429
    title = "Too many entries in the waiting list at once"


class NoOpenOffer(DomainError):
    """No room that fits has become free yet; the entry's `place` says where in the line it is."""

    code = "no-open-offer"
    title = "Nothing is offered yet"


class OfferAlreadyClaimed(DomainError):
    """The token was given out with the first claim, and can't be had again."""

    code = "offer-already-claimed"
    title = "The offer was taken up already"


class OfferExpired(DomainError):
    """The offer ran out, the entry was left, or its day of arrival has passed. Join again."""

    code = "offer-expired"
    status = 410
    title = "There is no offer any more"
