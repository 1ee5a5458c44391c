"""The search of the admin (Ctrl-K). Apps register sources, and each source returns one group of results.

The module `admin/search.py` of an app registers its sources:

    @search.register_source(scope="reservations:read", order=10)
    def reservations(request: HttpRequest, text: str) -> ResultGroup | None:
        return ResultGroup(_("Reservations"), [Result(...)])

A source is called while the user types. So it returns at most `MAX_RESULTS` results, and finds them with an index. A
source sends `personal_data_read` for results that identify guests or staff.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from hotelagent.core.text import single_line

Row = TypeVar("Row", bound=Model)

#: Maximum number of results in a group.
MAX_RESULTS = 8
#: Texts with fewer characters are not searched, because they occur in too many names.
MIN_LENGTH = 2
MAX_LENGTH = 100


@dataclass(frozen=True, slots=True)
class Result:
    """A result of the search. A click opens the page `url`. `detail` is shown behind the title."""

    title: str
    url: str
    detail: str = ""
    icon: str = "arrow_forward"


@dataclass(frozen=True, slots=True)
class ResultGroup:
    """The results of one source. `is_complete` is False if more than the returned results were found."""

    title: str | Promise
    results: list[Result]
    is_complete: bool = True

    @classmethod
    def of(
        cls, title: str | Promise, found: QuerySet[Row], *, to_result: Callable[[Row], Result]
    ) -> ResultGroup:
        """Return the group with the first `MAX_RESULTS` of the found rows. `to_result` makes the result of a row."""
        rows = list(found[: MAX_RESULTS + 1])
        results = [to_result(row) for row in rows[:MAX_RESULTS]]
        return cls(title, results, is_complete=len(rows) == len(results))


Source = Callable[[HttpRequest, str], ResultGroup | None]

_sources: list[tuple[int, str, Source]] = []


def register_source(*, scope: str, order: int = 100) -> Callable[[Source], Source]:
    """Return a decorator that registers a source for users with the scope. The groups are sorted by `order`."""

    def decorator(source: Source) -> Source:
        _sources.append((order, scope, source))
        return source

    return decorator


def search(request: HttpRequest, text: str, *, menu: Iterable[dict[str, Any]]) -> list[ResultGroup]:
    """Return the groups of results that the user may see, without empty groups. `menu` is the user's menu.

    A text with fewer than `MIN_LENGTH` characters has no results.
    """
    text = single_line(text)[:MAX_LENGTH].strip()
    if len(text) < MIN_LENGTH:
        return []
    scopes: frozenset[str] = getattr(request.user, "scopes", frozenset())
    sources = sorted((entry for entry in _sources if entry[1] in scopes), key=lambda entry: entry[0])
    groups = [source(request, text) for _order, _scope, source in sources]
    return [group for group in (*groups, _pages(text, menu)) if group is not None and group.results]


def _pages(text: str, menu: Iterable[dict[str, Any]]) -> ResultGroup:
    """Return the pages of the menu with a word that begins with the text, in the title of the page or its menu item."""
    wanted = f" {text}".casefold()
    results = [
        Result(
            title=tab["title"] if len(item["tabs"]) > 1 else item["title"],
            url=tab["link"],
            detail=str(group["title"]),
            icon=item["icon"],
        )
        for group in menu
        for item in group["items"]
        for tab in item["tabs"]
        if wanted in f" {item['title']} {tab['title']}".casefold()
    ]
    return ResultGroup(_("Pages"), results[:MAX_RESULTS], is_complete=len(results) <= MAX_RESULTS)
