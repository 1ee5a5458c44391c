"""The registry of kinds. A kind declares how failures with one name are retried.

An app declares its kinds when Django starts, in a module that `AppConfig.ready` imports. The declaration decorates the
retry handler, which processes a failed message again. The handler raises an exception if the retry failed:

    @failure_kind("reminders.send", is_idempotent=False)
    def send_again(failure: Failure) -> None: ...

Celery tasks need no handler: a retry sends the task to its queue again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dlq.models import Failure

RetryHandler = Callable[["Failure"], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """How failures with this name are retried.

    `handler` is None for Celery tasks and for names that no app declared.

    If work is not idempotent, it must not be done twice. If an attempt of such a failure is lost, the failure is not
    retried automatically. It gets the status `in_doubt`, and staff decide whether to retry it. Celery tasks are always
    idempotent, because the broker delivers a task again if its worker dies.
    """

    name: str
    handler: RetryHandler | None = None
    is_idempotent: bool = True


_kinds: dict[str, Kind] = {}


def failure_kind(name: str, *, is_idempotent: bool = True) -> Callable[[RetryHandler], RetryHandler]:
    """Declare a kind whose retry handler is the decorated function. The parameters are the fields of `Kind`.

    Raises ValueError if another kind with this name is declared.
    """

    def declare(handler: RetryHandler) -> RetryHandler:
        register_kind(Kind(name=name, handler=handler, is_idempotent=is_idempotent))
        return handler

    return declare


def register_kind(kind: Kind) -> None:
    """Register a kind. Raises ValueError if another kind with its name is registered."""
    if _kinds.setdefault(kind.name, kind) != kind:
        raise ValueError(f"The kind {kind.name} is already declared: {_kinds[kind.name]!r}.")


def find_kind(name: str) -> Kind:
    """Return the kind of failures with this name. If no app declared the kind, return one without a handler."""
    return _kinds.get(name) or Kind(name=name)
