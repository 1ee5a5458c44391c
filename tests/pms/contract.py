"""The tests that every adapter must pass.

A subclass of `AdapterContract` runs them for one adapter. Its fixture `adapter` returns the adapter of a system with
three free rooms of the type "double" and with a price for them.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable

import pytest

from hotelagent.pms.adapters.interface import Adapter, Capability
from hotelagent.pms.errors import PmsError
from hotelagent.pms.values import BookingRequest, Guest, PmsStatus, StaySearch

Search = Callable[..., StaySearch]


def request_of(search: StaySearch, *, reference: str, room_count: int = 1) -> BookingRequest:
    return BookingRequest(
        reference=reference,
        room_type=search.room_type,
        nights=search.nights,
        adults=search.adults,
        children=search.children,
        guest=Guest(name="Ana Reyes", email="ana@example.com", phone="+34600111222"),
        price=None,
        room_count=room_count,
    )


@pytest.mark.django_db
class AdapterContract:
    """The behaviour that the services rely on."""

    #: A time before all bookings of the test.
    since = datetime.datetime.now(tz=datetime.UTC) - datetime.timedelta(days=1)

    def test_check_passes_without_changing_anything(self, adapter: Adapter) -> None:
        results = adapter.check()
        assert [result.name for result in results if not result.passed] == []
        assert results

    def test_offers_name_the_room_types_of_the_hotel_and_a_price(
        self, adapter: Adapter, search: Search
    ) -> None:
        [offer] = adapter.availability(search())
        assert (offer.room_type, offer.free_rooms) == ("double", 3)
        if Capability.PRICES in adapter.capabilities:
            assert offer.price is not None
            assert offer.price.amount > 0

    def test_quote_returns_the_offer_for_the_room_type(self, adapter: Adapter, search: Search) -> None:
        assert adapter.quote(search()) == adapter.availability(search())[0]

    def test_quote_of_an_unknown_room_type_is_refused(self, adapter: Adapter, search: Search) -> None:
        with pytest.raises(PmsError) as error:
            adapter.quote(search(room_type="castle"))
        assert error.value.is_definite

    def test_booking_has_our_reference_and_the_values_of_the_request(
        self, adapter: Adapter, search: Search
    ) -> None:
        made = adapter.book(request_of(search(), reference="REF2345678"))
        assert made.id
        assert (made.reference, made.status) == ("REF2345678", PmsStatus.BOOKED)
        assert (made.guest.name, made.guest.email) == ("Ana Reyes", "ana@example.com")
        assert [(room.room_type, room.nights) for room in made.rooms] == [("double", search().nights)]

    def test_booking_of_several_rooms_has_all_rooms_and_guests(
        self, adapter: Adapter, search: Search
    ) -> None:
        made = adapter.book(request_of(search(), reference="REF2345678", room_count=3))
        assert [room.room_type for room in made.rooms] == ["double"] * 3
        assert made.adults == 6

    def test_find_with_an_unknown_reference_returns_no_booking(self, adapter: Adapter) -> None:
        assert adapter.find("NOTHING", since=self.since) == []
