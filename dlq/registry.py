"""The registries of retry handlers and of subject finders. Each app registers its functions in `AppConfig.ready`.

A retry handler processes failed messages with one name again. It raises an exception if the retry failed:

    @retry_handler("reminders.send")
    def send_again(failure: Failure) -> None: ...

Celery tasks need no handler: a retry sends the task to its queue again.

A subject finder returns the objects that failures are about. It is called once per page of the list of failures, so it
should use one query for all of them:

    @subject_finder("reminders.send")
    def find_reminders(failures: Sequence[Failure]) -> dict[UUID, Subject]: ...
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
    """The object that a failure is about. On the page at `url`, a person can fix the cause of the failure."""

    title: str
    url: str


RetryHandler = Callable[["Failure"], None]
SubjectFinder = Callable[[Sequence["Failure"]], dict[UUID, Subject]]

_retry_handlers: dict[str, RetryHandler] = {}
_not_idempotent: set[str] = set()
_subject_finders: dict[str, SubjectFinder] = {}


def retry_handler(name: str, *, is_idempotent: bool = True) -> Callable[[RetryHandler], RetryHandler]:
    """Register the decorated function as the retry handler of failures with this name.

    If the work must not be done twice, set `is_idempotent` to False. If an attempt is then lost, the failure is not
    retried automatically. It gets the status `in_doubt`, and staff decide whether to retry it.

    Raises ValueError if another function is registered for the name.
    """

    def register(function: RetryHandler) -> RetryHandler:
        if _retry_handlers.setdefault(name, function) is not function:
            raise ValueError(f"{name} already has the retry handler {_retry_handlers[name]!r}.")
        if not is_idempotent:
            _not_idempotent.add(name)
        return function

    return register


def find_retry_handler(name: str) -> RetryHandler | None:
    """Return the function that retries failures with this name, or None if no function is registered."""
    return _retry_handlers.get(name)


def is_idempotent(name: str) -> bool:
    """Return whether the work of failures with this name can safely be done twice, as after a lost attempt.

    Celery tasks are always idempotent, because the broker delivers a task again if its worker dies.
    """
    return name not in _not_idempotent


def subject_finder(name: str) -> Callable[[SubjectFinder], SubjectFinder]:
    """Register the decorated function as the subject finder of failures with this name."""

    def register(finder: SubjectFinder) -> SubjectFinder:
        _subject_finders[name] = finder
        return finder

    return register


def find_subjects(failures: Iterable[Failure]) -> dict[UUID, Subject]:
    """Return a dict that maps failure ids to subjects.

    The dict omits failures without a subject finder, and failures whose object was deleted.
    """
    by_name: dict[str, list[Failure]] = {}
    for failure in failures:
        by_name.setdefault(failure.name, []).append(failure)
    subjects: dict[UUID, Subject] = {}
    for name, group in by_name.items():
        if finder := _subject_finders.get(name):
            subjects |= finder(group)
    return subjects
