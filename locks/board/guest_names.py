"""The names of guests on the room board.

Allocations contain no names. The app with the names of guests registers a function that returns the names.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Guest:
    """The name of a guest, and the URL of the reservation's admin page."""

    name: str
    url: str


#: The type of a function that returns the guests of allocations. The argument contains the ids of the allocations.
#: The function returns a mapping from the ids of allocations to guests, without allocations of unknown guests.
#: The function must execute the same number of queries for any number of allocations.
GuestSource = Callable[[Collection[UUID]], Mapping[UUID, Guest]]

_sources: list[GuestSource] = []


def register_guest_source(source: GuestSource) -> GuestSource:
    """Register the decorated function, which returns guest names."""
    _sources.append(source)
    return source


def guests_of(allocation_ids: Collection[UUID]) -> dict[UUID, Guest]:
    """Return a dict that maps allocation ids to guests. The guests come from the registered functions of other apps."""
    return {
        allocation_id: guest for source in _sources for allocation_id, guest in source(allocation_ids).items()
    }
