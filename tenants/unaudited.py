"""A marker for functions that change or show data without recording an audit event."""

from collections.abc import Callable
from typing import TypeVar

F = TypeVar("F", bound=Callable[..., object])


def unaudited(_reason: str) -> Callable[[F], F]:
    """Declare why a function needs no event in the audit trail.

    A test fails for each function that changes or shows data without an event or this declaration.
    """

    def mark(function: F) -> F:
        return function

    return mark
