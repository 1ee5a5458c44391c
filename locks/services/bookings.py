"""The bookings that stays belong to. The app with the bookings registers how stays and bookings change together."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from django.utils.translation import gettext as _

from locks.errors import StayBelongsToReservation
from locks.nights import Nights


@dataclass(frozen=True, slots=True)
class Booking:
    """A booking with a stay. `url` is the URL of the booking in the REST API."""

    number: str
    url: str


class Bookings(Protocol):
    """The interface to the app with the bookings."""

    def find(self, stay_ids: Collection[UUID]) -> Booking | None:
        """Return a booking that has one of the stays, or None."""

    def move(self, stay_id: UUID, *, room: int, nights: Nights) -> bool:
        """Move the stay of a booking together with the booking. Return whether a booking has the stay.

        Runs in the caller's transaction. Locks the booking before the room and the stay.
        """


_registered: list[Bookings] = []


def register(bookings: Bookings) -> None:
    """Register the interface to the app with the bookings."""
    _registered[:] = [bookings]


def check_unbooked(stay_ids: Collection[UUID]) -> None:
    """Raise StayBelongsToReservation if a booking has one of the stays. The caller must have locked the stays."""
    for bookings in _registered:
        if booking := bookings.find(stay_ids):
            raise StayBelongsToReservation(
                _(
                    "The stay belongs to the reservation {number}. Cancel or change the reservation instead: {url}"
                ).format(number=booking.number, url=booking.url),
                reservation=booking.url,
            )


def move_with_booking(stay_id: UUID, *, room: int, nights: Nights) -> bool:
    """Move the stay together with its booking. Return False, and change nothing, if no booking has the stay."""
    return any(bookings.move(stay_id, room=room, nights=nights) for bookings in _registered)
