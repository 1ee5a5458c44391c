"""The objects that failures are about, for example the reminder that was not sent.

An app registers a subject finder for its kinds. A subject finder returns the objects that failures are about. The
finder is called once per page of the list of failures, so it should use one query for all failures:

    @subject_finder("reminders.send")
    def find_reminders(failures: Sequence[Failure]) -> dict[UUID, Subject]: ...
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

import structlog

if TYPE_CHECKING:
    from dlq.models import Failure


@dataclass(frozen=True, slots=True)
class Subject:
    """The object that a failure is about. On the page at `url`, a person can fix the cause of the failure."""

    title: str
    url: str


log = structlog.get_logger(__name__)

SubjectFinder = Callable[[Sequence["Failure"]], dict[UUID, Subject]]

_subject_finders: dict[str, SubjectFinder] = {}


def subject_finder(name: str) -> Callable[[SubjectFinder], SubjectFinder]:
    """Return a decorator that registers a function as the subject finder of the failures with the name `name`."""

    def register(finder: SubjectFinder) -> SubjectFinder:
        _subject_finders[name] = finder
        return finder

    return register


def find_subjects(failures: Iterable[Failure]) -> dict[UUID, Subject]:
    """Return a dict that maps failure ids to subjects, the objects that the failures are about.

    The dict omits failures whose kind has no subject finder, and failures whose object was deleted.
    """
    by_name: dict[str, list[Failure]] = {}
    for failure in failures:
        by_name.setdefault(failure.name, []).append(failure)
    subjects: dict[UUID, Subject] = {}
    for name, group in by_name.items():
        if finder := _subject_finders.get(name):
            try:
                subjects |= finder(group)
            except Exception:
                # A payload may have any form, so the subject finder can raise any exception.
                # The exception is only logged, because the page must also show failures that have no subject.
                log.exception("failure.subject_unknown", name=name)
    return subjects
