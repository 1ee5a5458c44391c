"""The values that adapters take and return: searches, offers, bookings and prices.

All dates are dates in the hotel's time zone. All prices are decimals with a currency, never floating-point numbers.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from locks.nights import Nights


@dataclass(frozen=True, slots=True)
class Money:
    """An amount of money. `currency` is a code of ISO 4217, such as "EUR"."""

    amount: Decimal
    currency: str

    def __str__(self) -> str:
        return f"{self.amount} {self.currency}"


@dataclass(frozen=True, slots=True)
class StaySearch:
    """A search for rooms: the nights and the guests of each room. An empty `room_type` means any room type."""

    nights: Nights
    adults: int = 1
    children: int = 0
    room_type: str = ""

    @property
    def guests(self) -> int:
        return self.adults + self.children


@dataclass(frozen=True, slots=True)
class Offer:
    """A room type that can be booked for a search.

    `room_type` is the hotel's name for the room type, as in its list of rooms. `price` is the price of one room for all
    nights, or None if the hotel has no price for these nights. `taxes_included` says whether the price includes taxes.
    """

    room_type: str
    free_rooms: int
    price: Money | None
    taxes_included: bool


@dataclass(frozen=True, slots=True)
class Guest:
    """The guest who books. `language` is a language code such as "es", or empty."""

    name: str
    email: str = ""
    phone: str = ""
    language: str = ""


@dataclass(frozen=True, slots=True)
class BookingRequest:
    """A booking that is to be made in the PMS: one or more rooms of the same type for the same nights.

    `reference` is our unique reference of the booking, by which `Adapter.find` finds the booking again. `adults` and
    `children` are the guests of each room. `price` is the price of one room that the guest has accepted, or None if the
    hotel has no price.
    """

    reference: str
    room_type: str
    nights: Nights
    adults: int
    children: int
    guest: Guest
    price: Money | None
    room_count: int = 1


class PmsStatus(StrEnum):
    """The status of a booking in the PMS, in terms that all systems share."""

    BOOKED = "booked"
    CHECKED_IN = "checked_in"
    CHECKED_OUT = "checked_out"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class PmsRoom:
    """One room of a booking in the PMS.

    `room` is the PMS's identifier of the room, or empty if the PMS has not chosen a room yet. `room_type` is empty if
    no room type of the hotel is mapped to the room type of the PMS.
    """

    room_type: str
    room: str
    nights: Nights


@dataclass(frozen=True, slots=True)
class PmsBooking:
    """A booking as the PMS stores it.

    `id` is the PMS's identifier of the booking. `reference` is the reference of the system that made the booking, or
    empty if staff made the booking in the PMS. `updated_at` is aware, or None if the PMS does not report the time.
    """

    id: str
    reference: str
    status: PmsStatus
    rooms: tuple[PmsRoom, ...]
    adults: int
    children: int
    guest: Guest
    price: Money | None
    updated_at: datetime.datetime | None = None
