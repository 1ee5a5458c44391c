"""The interface of adapters. An adapter translates between our values and the API of one kind of PMS.

An adapter only sends requests and translates. It does not retry, cache, count failures or write to the database: the
package `hotelagent.pms.calls` does this for all adapters. `tests/pms/contract.py` contains the tests that each adapter
must pass.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar, Protocol

from hotelagent.pms.values import BookingRequest, Offer, PmsBooking, StaySearch


class Capability(StrEnum):
    """What an adapter can do in addition to searching for free rooms and making bookings."""

    #: The system is on another server, so its calls are limited, cached and protected by the circuit breaker.
    REMOTE = "remote"
    #: The system reports bookings that other systems have made or changed.
    CHANGES = "changes"
    #: The system returns prices for free rooms.
    PRICES = "prices"


@dataclass(frozen=True, slots=True)
class ConnectionSettings:
    """The settings of a hotel's connection that an adapter needs.

    `room_types` maps the hotel's name of each room type to the PMS's identifier of the room type. `key` is the access
    key and must never be logged. `property_id` is the PMS's identifier of the hotel.
    """

    url: str = ""
    key: str = field(default="", repr=False)
    property_id: str = ""
    currency: str = ""
    taxes_included: bool = True
    room_types: Mapping[str, str] = field(default_factory=dict)
    #: The time zone of the hotel. Many systems report times in this time zone, without an offset.
    time_zone: str = "UTC"
    #: The adapter calls this function before each request to the other system. The call waits if too many were sent.
    before_request: Callable[[], None] = lambda: None


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The result of one step of a connection test. `detail` is a message for the manager of the hotel."""

    name: str
    passed: bool
    detail: str


class Adapter(Protocol):
    """One kind of PMS. All methods raise a `PmsError` if the system does not do what was asked.

    A method that changes the system raises `PmsOutcomeUnknown` whenever the system may have made the change. It raises
    another error only if the system has certainly not made it.
    """

    capabilities: ClassVar[frozenset[Capability]]

    def __init__(self, settings: ConnectionSettings) -> None: ...

    def check(self) -> Sequence[CheckResult]:
        """Test the connection without changing anything. Return a result for each step, in the order of the steps."""

    def availability(self, search: StaySearch) -> list[Offer]:
        """Return the room types that can be booked, with the number of free rooms and the price of each."""

    def quote(self, search: StaySearch) -> Offer:
        """Return the offer for the room type of the search. Raises RoomTypeNotMapped or NoPrice."""

    def book(self, request: BookingRequest) -> PmsBooking:
        """Make a booking of all requested rooms. Raises BookingRefused, RoomTypeNotMapped or PmsOutcomeUnknown."""

    def find(self, reference: str, *, since: datetime.datetime) -> list[PmsBooking]:
        """Return all bookings with this reference of ours, including cancelled ones. Usually there is at most one.

        `since` is a time before the booking was first sent. Bookings that are older need not be searched.
        """

    def cancel(self, booking: PmsBooking) -> None:
        """Cancel a booking. It is not an error if the booking is already cancelled. Raises PmsOutcomeUnknown."""

    def list_changes(self, since: datetime.datetime | None) -> Iterable[PmsBooking]:
        """Return the bookings that were made or changed at or after `since`, or all bookings if `since` is None."""
