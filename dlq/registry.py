"""What "send again" means for the failures of one name. Each app registers its own, in `AppConfig.ready`.

    @retrier("reminders.send")
    def send_again(failure: Failure) -> None: ...

A retrier does the work and returns, or raises: then the retry has failed and is counted as failed. Tasks need
none: they go back to their queue.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dlq.models import Failure

Retrier = Callable[["Failure"], None]

_retriers: dict[str, Retrier] = {}


def retrier(name: str) -> Callable[[Retrier], Retrier]:
    """Register how failures called `name` are sent again. Registering a name twice raises ValueError."""

    def register(function: Retrier) -> Retrier:
        if _retriers.setdefault(name, function) is not function:
            raise ValueError(f"{name} has a retrier already: {_retriers[name]!r}")
        return function

    return register


def find(name: str) -> Retrier | None:
    return _retriers.get(name)
