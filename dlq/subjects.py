"""What a failure is about, in a hotelier's words, for the pages that show it. Each app registers its own:

    @subjects.of("reminders.send")
    def reminders_behind(failures: Sequence[Failure]) -> dict[UUID, Subject]: ...

It is asked once a page, so it reads what it needs with one query.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from dlq.models import Failure


@dataclass(frozen=True, slots=True)
class Subject:
    """`title` says what was to be done, for whom; `url` leads to where its cause is corrected."""

    title: str
    url: str


Finder = Callable[[Sequence["Failure"]], dict[UUID, Subject]]
_finders: dict[str, Finder] = {}


def of(name: str) -> Callable[[Finder], Finder]:
    """Register what failures called `name` are about."""

    def register(finder: Finder) -> Finder:
        _finders[name] = finder
        return finder

    return register


def find(failures: Iterable[Failure]) -> dict[UUID, Subject]:
    """By the failure's id; nothing for those that nobody knows, or whose thing is gone."""
    by_name: dict[str, list[Failure]] = {}
    for failure in failures:
        by_name.setdefault(failure.name, []).append(failure)
    found: dict[UUID, Subject] = {}
    for name, alike in by_name.items():
        if finder := _finders.get(name):
            found |= finder(alike)
    return found
