"""Errors of the waiting list. The docstrings are shown to API clients at /problems/<code>."""

from django.utils.translation import gettext_lazy as _

from tenants.errors import DomainError


class WaitingListEntryNotFound(DomainError):
    """The waiting list has no entry with this id, or the entry belongs to another client."""

    code = "waiting-list-entry-not-found"
    status = 404
    title = _("Waiting list entry not found")


class TooManyWaitingListEntries(DomainError):
    """The client, or one guest session of the client, already has `limit` (the maximum) open waiting list entries."""

    code = "too-many-waiting-list-entries"
    status = 429
    title = _("Too many waiting list entries")


class NoOpenOffer(DomainError):
    """No room has been offered to this entry yet. The `position` of the entry is its place in the waiting list."""

    code = "no-open-offer"
    title = _("No room has been offered yet")


class OfferAlreadyClaimed(DomainError):
    """The offer has been claimed. The token was returned by the first claim and can't be retrieved again."""

    code = "offer-already-claimed"
    title = _("The offer has already been claimed")


class OfferExpired(DomainError):
    """The offer expired, the entry was cancelled, or its check-in date has passed. Join the waiting list again."""

    code = "offer-expired"
    status = 410
    title = _("The offer has expired")
