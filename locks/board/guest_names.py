"""The guests of stays on the room board and in the list of allocations, and the page for new reservations.

Allocations contain no names. The app with the reservations registers a function that returns the guests.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from uuid import UUID

from django.urls import reverse


@dataclass(frozen=True, slots=True)
class Guest:
    """The guest of a stay.

    `url` is the admin page of the reservation. `panel_url` is the URL of an HTML fragment with the reservation and the
    actions of the front desk. `status` and `source` are labels of the reservation.
    """

    name: str
    url: str
    panel_url: str
    status: str = ""
    source: str = ""
    is_in_house: bool = False


#: The type of a function that returns the guests of allocations. The argument contains the ids of the allocations.
#: The function returns a mapping from the ids of allocations to guests, without allocations of unknown guests.
#: The function must execute the same number of queries for any number of allocations.
GuestSource = Callable[[Collection[UUID]], Mapping[UUID, Guest]]

_sources: list[GuestSource] = []
#: The URL name of the registered page for new reservations. If no app has registered a page, this list is empty.
_booking_pages: list[str] = []


def register_guest_source(source: GuestSource) -> GuestSource:
    """Register the decorated function, which returns guest names."""
    _sources.append(source)
    return source


def guests_of(allocation_ids: Collection[UUID]) -> dict[UUID, Guest]:
    """Return a dict that maps allocation ids to guests. The guests come from the registered functions of other apps."""
    return {
        allocation_id: guest for source in _sources for allocation_id, guest in source(allocation_ids).items()
    }


def register_booking_page(url_name: str) -> None:
    """Register the page for new reservations. It accepts the parameters `arrival`, `departure` and `room`."""
    _booking_pages[:] = [url_name]


def booking_page_url() -> str | None:
    """Return the URL of the page for new reservations, or None if no app has registered one."""
    return reverse(_booking_pages[0]) if _booking_pages else None
