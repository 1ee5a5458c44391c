"""The adapter for hotels without another system: the rooms and the rates of hotelagent itself.

The hotel's own tables are the source of truth. Availability is read from the rooms. A booking is the reservation that
the booking service stores. There is nothing to synchronize.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from typing import ClassVar

from django.utils.translation import gettext as _

from hotelagent.pms.adapters.interface import Capability, CheckResult, ConnectionSettings
from hotelagent.pms.errors import NoPrice, RoomTypeNotMapped
from hotelagent.pms.rates import price_of_stay
from hotelagent.pms.values import (
    BookingRequest,
    Guest,
    Money,
    Offer,
    PmsBooking,
    PmsRoom,
    PmsStatus,
    StaySearch,
)
from locks.models import Room
from locks.nights import Nights
from locks.selectors import availability
from reminders.models import Reservation, ReservationStatus


class LocalAdapter:
    """The rooms and rates of hotelagent as a PMS."""

    capabilities: ClassVar[frozenset[Capability]] = frozenset({Capability.PRICES})

    def __init__(self, settings: ConnectionSettings) -> None:
        self._settings = settings

    def check(self) -> Sequence[CheckResult]:
        rooms = Room.objects.count()
        return [
            CheckResult(
                _("Rooms"),
                passed=rooms > 0,
                detail=_("The hotel has {rooms} rooms.").format(rooms=rooms)
                if rooms
                else _("Add the rooms first."),
            ),
            CheckResult(
                _("Currency"),
                passed=bool(self._settings.currency),
                detail=self._settings.currency or _("Enter a currency, so that offers have a price."),
            ),
        ]

    def availability(self, search: StaySearch) -> list[Offer]:
        types = availability(nights=search.nights, room_type=search.room_type, guests=search.guests).types
        return [self._offer(search, room_type=type_.room_type, free_rooms=type_.free) for type_ in types]

    def quote(self, search: StaySearch) -> Offer:
        offers = self.availability(search)
        if not offers:
            raise RoomTypeNotMapped(
                _("The hotel has no room of the type {room_type} for {guests} guests.").format(
                    room_type=search.room_type, guests=search.guests
                )
            )
        if offers[0].price is None:
            raise NoPrice
        return offers[0]

    def book(self, request: BookingRequest) -> PmsBooking:
        return PmsBooking(
            id=request.reference,
            reference=request.reference,
            status=PmsStatus.BOOKED,
            rooms=(PmsRoom(request.room_type, room="", nights=request.nights),) * request.room_count,
            adults=request.adults * request.room_count,
            children=request.children * request.room_count,
            guest=request.guest,
            price=request.price,
        )

    def find(self, reference: str, *, since: datetime.datetime) -> list[PmsBooking]:  # noqa: ARG002 - the interface
        """Return the booking if its reservation is stored. Without a reservation, nothing was booked."""
        reservation = Reservation.objects.filter(external_id=reference).first()
        if reservation is None:
            return []
        is_cancelled = reservation.status == ReservationStatus.CANCELLED
        room_types = [reservation.room_type, *reservation.additional_room_types]
        nights = Nights(reservation.arrival, reservation.departure)
        return [
            PmsBooking(
                id=reference,
                reference=reference,
                status=PmsStatus.CANCELLED if is_cancelled else PmsStatus.BOOKED,
                rooms=tuple(PmsRoom(room_type, room="", nights=nights) for room_type in room_types),
                adults=reservation.adults,
                children=reservation.children,
                guest=Guest(
                    name=reservation.guest_name,
                    email=reservation.guest_email,
                    phone=reservation.guest_phone,
                    language=reservation.language,
                ),
                price=None,
            )
        ]

    def cancel(self, booking: PmsBooking) -> None:
        """Do nothing, because the booking service cancels the reservation."""

    def list_changes(self, since: datetime.datetime | None) -> Iterable[PmsBooking]:  # noqa: ARG002
        return []

    def _offer(self, search: StaySearch, *, room_type: str, free_rooms: int) -> Offer:
        price = price_of_stay(room_type=room_type, nights=search.nights)
        return Offer(
            room_type=room_type,
            free_rooms=free_rooms,
            price=Money(price, self._settings.currency)
            if price is not None and self._settings.currency
            else None,
            taxes_included=self._settings.taxes_included,
        )
