"""The registry of kinds. A kind declares the payload of the failures with one name, and how they are retried.

An app declares its kinds when Django starts, in a module that `AppConfig.ready` imports. The declaration decorates the
retry handler, which processes a failed message again. The handler raises an exception if the retry failed:

    @failure_kind("reminders.send", schema={...}, personal_fields=["to"], is_idempotent=False)
    def send_again(failure: Failure) -> None: ...

Celery tasks need no handler, because a retry sends the task to its queue again. Their payload is
`{"args": [...], "kwargs": {...}}`. An app can declare more about a task with `register_kind`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator

if TYPE_CHECKING:
    from dlq.models import Failure

RetryHandler = Callable[["Failure"], None]

#: Seconds before the first, second and third retry. After the third retry the failure is permanent.
DEFAULT_DELAYS = (60, 120, 240)


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of failure, which a name identifies. The kind defines the payload of the failures and their retries.

    `handler` is None for Celery tasks and for names that no app declared.

    `schema` is the JSON Schema of the payload (draft 2020-12). A payload that does not match the schema is captured,
    but it is retried only by a person.

    `personal_fields` and `secret_fields` are the paths of fields in the payload (see `dlq.kinds.fields`). Secret fields
    are encrypted in the database, and people never see them. Personal fields belong to guests.

    `delays` are the seconds before each automatic retry. The failure is permanent after the last retry.

    `time_limit` is the maximum duration of a retry in seconds. None means the limit of all Celery tasks.

    If work is not idempotent, it must not be done twice. If an attempt of such a failure is lost, the failure is not
    retried automatically. It gets the status `in_doubt`, and staff decide whether to retry it. Celery tasks are always
    idempotent, because the broker delivers a task again if its worker dies.

    `ordering_key` returns the ordering key of a payload, for example the id of a booking. Failures with the same
    ordering key are retried one at a time, oldest first. An empty string means no ordering.

    `on_correction` is called when a person has corrected a payload, in the same transaction, with the payload before
    and after the correction. It can also correct the record from which the payload came. It refuses the correction
    with a DomainError, for example InvalidPayload.
    """

    name: str
    handler: RetryHandler | None = None
    schema: dict[str, Any] | None = None
    personal_fields: Sequence[str] = ()
    secret_fields: Sequence[str] = ()
    delays: Sequence[float] = DEFAULT_DELAYS
    time_limit: float | None = None
    is_idempotent: bool = True
    ordering_key: Callable[[Any], str] | None = None
    on_correction: Callable[[Any, Any], None] | None = None

    @cached_property
    def validator(self) -> Draft202012Validator | None:
        """Return the validator of the payload, or None if the kind of failure has no schema. Formats such as `uuid` are
        checked.
        """
        if self.schema is None:
            return None
        return Draft202012Validator(self.schema, format_checker=Draft202012Validator.FORMAT_CHECKER)


_kinds: dict[str, Kind] = {}


def failure_kind(name: str, **declaration: Any) -> Callable[[RetryHandler], RetryHandler]:
    """Declare a kind of failure whose retry handler is the decorated function.

    The parameters are the fields of `Kind`. Raises ValueError if another kind with this name is declared.
    """

    def declare(handler: RetryHandler) -> RetryHandler:
        register_kind(Kind(name=name, handler=handler, **declaration))
        return handler

    return declare


def register_kind(kind: Kind) -> None:
    """Register a kind of failure. Raises ValueError if another kind with the same name is registered."""
    if _kinds.setdefault(kind.name, kind) != kind:
        raise ValueError(f"The kind {kind.name} is already declared: {_kinds[kind.name]!r}.")


def find_kind(name: str) -> Kind:
    """Return the kind of failures with this name.

    If no app declared the kind, return a default kind without a retry handler.
    """
    return _kinds.get(name) or Kind(name=name)


def declared_kinds() -> list[Kind]:
    return list(_kinds.values())
