"""Saved searches of the audit trail: a member of staff saves filters under a name, and opens them again later."""

from collections.abc import Callable, Iterable
from urllib.parse import parse_qsl
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from audit.events import SEARCH_DELETED, SEARCH_SAVED
from audit.reading.models import NAME_LENGTH, QUERY_LENGTH, SavedSearch
from audit.services import record
from tenants.context import current_tenant
from tenants.errors import DomainError

#: The maximum number of searches that a member of staff can save.
MAX_SEARCHES = 50


class InvalidSavedSearch(DomainError):
    """The search cannot be saved: it has no name or no filters, or there are too many saved searches."""

    code = "invalid-saved-search"
    status = 422
    title = gettext_lazy("The search cannot be saved")


def searches_of(user_id: UUID) -> QuerySet[SavedSearch]:
    """Return the saved searches of a member of staff of the current tenant, ordered by name."""
    return SavedSearch.objects.filter(user_id=user_id).order_by("name")


def save_search(*, user_id: UUID, name: str, query: str) -> SavedSearch:
    """Save the filters in a query string under a name. A search of this person with the same name is replaced.

    Raises InvalidSavedSearch.
    """
    name = " ".join(name.split())
    _check(name, query)
    with transaction.atomic():
        others = searches_of(user_id).exclude(name=name)
        if others.count() >= MAX_SEARCHES:
            raise InvalidSavedSearch(
                _("You have {limit} saved searches. Delete one of them first.").format(limit=MAX_SEARCHES)
            )
        search, _is_new = searches_of(user_id).update_or_create(
            name=name,
            defaults={"query": query},
            create_defaults={"query": query, "hotel_id": current_tenant().id, "user_id": user_id},
        )
        record(SEARCH_SAVED, subject=("saved_search", search.pk), filters=_filters(query))
    return search


def _check(name: str, query: str) -> None:
    if not name or len(name) > NAME_LENGTH:
        raise InvalidSavedSearch(_("Enter a name with at most {limit} characters.").format(limit=NAME_LENGTH))
    if not query:
        raise InvalidSavedSearch(_("Set a filter first. A search without filters cannot be saved."))
    if len(query) > QUERY_LENGTH:
        raise InvalidSavedSearch(_("The filters are too long to be saved."))


def _filters(query: str) -> list[str]:
    return sorted({name for name, _value in parse_qsl(query)})


def delete_search(*, user_id: UUID, search_id: UUID) -> None:
    """Delete a saved search of this member of staff. If the search does not exist, nothing is changed."""
    with transaction.atomic():
        search = searches_of(user_id).select_for_update().filter(pk=search_id).first()
        if search is not None:
            search.delete()
            record(SEARCH_DELETED, subject=("saved_search", search_id))


def forget_searches(is_match: Callable[[Iterable[str]], bool]) -> int:
    """Delete the saved searches of the current tenant for whose texts `is_match` returns true. Return their number.

    The erasure of a person calls this function, and records one event for all its deletions.
    """
    matching = [
        search.pk
        for search in SavedSearch.objects.all()
        if is_match([search.name, *(value for _name, value in parse_qsl(search.query))])
    ]
    return SavedSearch.objects.filter(pk__in=matching).delete()[0]
