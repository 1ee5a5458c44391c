"""The views of the admin list of failures, and the limit on how many failures a search in the list reads.

No index finds a failure by its text, its name, its time or a closed status, so a search could read all failures of the
hotel. Therefore a search reads only the newest failures. A link below the result searches all failures.
"""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest, QueryDict
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from dlq.admin.redrive_filters import VIEW_STATUSES, selection_of
from dlq.errors import InvalidSelection
from dlq.models import CLOSED_STATUSES, Failure
from dlq.redrives.results import CLOCK_DIFFERENCE
from dlq.selection import FailureSelection
from hotelagent.admin.lists import EmptyList, HotelChangeList, NextStep, ViewFilter
from hotelagent.core.ids import first_uuid7_at

#: A search reads at most this number of failures, unless the person requests a search of all failures.
MAX_SEARCHED = 10_000
_PARAMETER = "searched"
_ALL = "all"
_STATUS = "status__exact"
#: The views that the lists of failures and of groups share. The last view of each list contains all entries.
SHARED_VIEWS = (
    ("decision", _("Need a decision")),
    ("retrying", _("Being retried")),
    ("done", pgettext_lazy("failures", "Done")),
)


class FailureViews(ViewFilter):
    """The views of the list of failures. The list opens with the failures that wait for a person.

    A filter by status selects the view of all failures.
    """

    title = _("failures")
    views = (*SHARED_VIEWS, ("all", _("All failures")))

    def __init__(self, request: HttpRequest, params: dict[str, Any], model: Any, model_admin: Any) -> None:
        super().__init__(request, params, model, model_admin)
        self.has_status = bool(request.GET.get(_STATUS))

    def value(self) -> str:
        return "all" if self.has_status else super().value()

    def choices(self, changelist: Any) -> Iterator[Any]:
        for choice, (code, _label) in zip(super().choices(changelist), self.views, strict=True):
            query = changelist.get_query_string({self.parameter_name: code}, remove=[_STATUS])
            yield {**choice, "query_string": query}

    def rows_of_view(self, request: HttpRequest, queryset: QuerySet[Failure]) -> QuerySet[Failure]:
        statuses = VIEW_STATUSES.get(self.value())
        return queryset if statuses is None else queryset.filter(status__in=statuses)


def query_with_view(request: HttpRequest, model_admin: Any) -> QueryDict:
    """Return the query string of the list of failures, with the view that the list displays."""
    query = request.GET.copy()
    view = FailureViews(request, dict(request.GET.lists()), Failure, model_admin)
    query[FailureViews.parameter_name] = view.value()
    return query


def empty_list_of(change_list: HotelChangeList, url_name: str) -> EmptyList:
    """Return the text of an empty list of failures or of groups, with a link to all entries of the list."""
    show_all = NextStep(_("Show all failures"), url_name, scope="dlq:read", query="?view=all")
    texts = {
        "decision": _("No failure needs a decision. There is nothing to do."),
        "retrying": _("No failure is being retried."),
        "done": _("No failure is done yet."),
    }
    view = next(spec.value() for spec in change_list.filter_specs if isinstance(spec, ViewFilter))
    if view in texts:
        return EmptyList(texts[view], (show_all,))
    return EmptyList(
        _("There are no failures. If a task or a message fails, it is listed here with the next step.")
    )


class SearchedFailures(admin.SimpleListFilter):
    """A hidden list filter for the URL parameter `searched`, which makes a search cover all failures.

    Without the parameter, a search covers the newest failures only. A link below the results sets the parameter.
    """

    title = _("failures to search")
    parameter_name = _PARAMETER

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return []

    def queryset(self, request: HttpRequest, queryset: QuerySet[Failure]) -> QuerySet[Failure]:
        return queryset


def search_limit(query: QueryDict) -> Q:
    """Return the condition that limits the number of failures that a search reads.

    A search reads the newest MAX_SEARCHED failures of the tenant. If the period of the filter has an end, the search
    reads the newest failures before this end. The condition matches all failures if an index finds the failures that
    match the filter, or if the person requests a search of all failures.
    """
    try:
        selection = selection_of(query)
    except InvalidSelection:
        return Q()
    limit = Q()
    if selection.until:
        # A failure was captured before or when it was last seen. Its id contains the time of its capture, so only ids
        # with a time before the end of the period can match.
        with suppress(OverflowError, ValueError):  # An id cannot contain a time before 1970 or after 9999.
            limit = Q(id__lt=first_uuid7_at(selection.until + CLOCK_DIFFERENCE))
    if query.get(_PARAMETER) == _ALL or not _needs_search(selection):
        return limit
    newest = Failure.objects.filter(limit).order_by("-id").values_list("id", flat=True)
    oldest_searched = newest[MAX_SEARCHED - 1 : MAX_SEARCHED]
    return limit & Q(id__gte=oldest_searched[0]) if oldest_searched else limit


def query_for_all(query: QueryDict) -> str:
    """Return the query string that repeats the search without its limit, or "" if the search has no limit."""
    everything = query.copy()
    everything[_PARAMETER] = _ALL
    everything.pop("p", None)
    return "" if search_limit(query) == search_limit(everything) else everything.urlencode()


def _needs_search(selection: FailureSelection) -> bool:
    closed = set(selection.status) & set(CLOSED_STATUSES)
    return bool(selection.text or selection.name or selection.since or selection.until or closed)
