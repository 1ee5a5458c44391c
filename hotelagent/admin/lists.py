"""The lists of the admin: their views, which are displayed as tabs above a list, and the texts of empty lists."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.contrib.admin import SimpleListFilter
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ALL_VAR, ERROR_FLAG, ORDER_VAR, PAGE_VAR
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from unfold.views import ChangeList

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise

#: The parameters of a list's URL that do not limit the rows.
_NO_FILTERS = frozenset({ALL_VAR, ERROR_FLAG, ORDER_VAR, PAGE_VAR})


class ViewFilter(SimpleListFilter):
    """A filter whose choices are displayed as tabs above the list.

    Subclasses define `views`: the code and the label of each view. The list opens with the first view. If the URL
    contains a search or another filter but no view, the last view is used, which contains all rows. So a search finds
    rows that the first view leaves out.
    """

    title: str | StrPromise = ""
    parameter_name = "view"
    template = "hotelagent/view_filter.html"
    views: Sequence[tuple[str, str | StrPromise]]

    def __init__(self, request: HttpRequest, params: dict[str, Any], model: Any, model_admin: Any) -> None:
        super().__init__(request, params, model, model_admin)
        self.other_filters = request.GET.keys() - _NO_FILTERS - {self.parameter_name}

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return list(self.views)

    def value(self) -> str:
        """Return the code of the selected view."""
        codes = [code for code, _label in self.views]
        selected = super().value()
        if selected in codes:
            return str(selected)
        return codes[-1] if self.other_filters else codes[0]

    def choices(self, changelist: Any) -> Iterator[Any]:
        for code, label in self.views:
            yield {
                "selected": code == self.value(),
                "query_string": changelist.get_query_string({self.parameter_name: code}),
                "display": label,
            }

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the rows of the selected view. For an action on marked rows, return the rows of all views.

        A row that the user has marked may have left the view since the page was shown. The action receives this row
        too, so that its service can report why the row is refused.
        """
        if ACTION_CHECKBOX_NAME in request.POST and request.POST.get("select_across") != "1":
            return queryset
        return self.rows_of_view(request, queryset)

    def rows_of_view(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the rows of the selected view, `self.value()`."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class NextStep:
    """The link in an empty list to the page where staff add rows. Only users with the scope `scope` see the link.

    `query` is the query string of the page, such as "?view=all".
    """

    label: str | StrPromise
    url_name: str
    scope: str
    query: str = ""
    icon: str = "arrow_forward"

    @property
    def url(self) -> str:
        return reverse(self.url_name) + self.query


@dataclass(frozen=True, slots=True)
class EmptyList:
    """The content of a list without rows: a text that explains the next step, and links to pages.

    `filtered_text` replaces the general text of a list whose search or filters find nothing.
    """

    text: str | StrPromise
    steps: tuple[NextStep, ...] = ()
    filtered_text: str | StrPromise = ""


class HotelChangeList(ChangeList):  # type: ignore[misc]
    """Unfold's change list, with tabs that select a view, and with a text that is shown if the list is empty.

    A filter with an impossible value, such as the month 13, is reported as invalid and causes no server error.
    """

    @property
    def views(self) -> list[dict[str, Any]]:
        """The tabs above the list."""
        return [
            choice
            for spec in self.filter_specs
            if isinstance(spec, ViewFilter)
            for choice in spec.choices(self)
        ]

    @property
    def is_filtered(self) -> bool:
        """Whether a search or a filter limits the rows. The selected view is not a filter."""
        return bool(self.query or self.filter_params.keys() - {ViewFilter.parameter_name})

    @property
    def empty_list(self) -> EmptyList | None:
        """The text that the page shows if the list has no rows."""
        empty_list: EmptyList | None = self.model_admin.get_empty_list(self)
        return empty_list

    @property
    def next_steps(self) -> list[NextStep]:
        """Return the links of the empty list that the role of the user allows."""
        return [
            step for step in (self.empty_list.steps if self.empty_list else ()) if step.scope in self.scopes
        ]

    def get_filters(self, request: HttpRequest) -> Any:
        try:
            return super().get_filters(request)
        except (ValueError, OverflowError) as error:
            raise IncorrectLookupParameters(error) from error

    def get_results(self, request: HttpRequest) -> None:
        self.request = request
        self.scopes: frozenset[str] = getattr(request.user, "scopes", frozenset())
        try:
            super().get_results(request)
            len(self.result_list)  # Run the query inside this `try` block, which handles its errors.
        except (ValueError, OverflowError) as error:
            if not self.filter_params:
                raise
            raise IncorrectLookupParameters(error) from error
