"""Tests of bookings: made once in the PMS, whatever happens to the response."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from decimal import Decimal

import pytest

from hotelagent.pms import connections, policy
from hotelagent.pms.adapters.qloapps.adapter import QloAppsAdapter
from hotelagent.pms.bookings import records, resolution, services
from hotelagent.pms.calls import breaker
from hotelagent.pms.errors import (
    BookingRefused,
    PmsAccessDenied,
    PmsOutcomeUnknown,
    PriceChanged,
    RoomTypeNotMapped,
)
from hotelagent.pms.models import Booking, BookingStatus, CircuitBreaker
from hotelagent.pms.values import BookingRequest, Guest, Money, PmsBooking, StaySearch
from locks.models import Allocation, AllocationStatus
from reminders.errors import InvalidReservation
from reminders.models import Reservation, ReservationStatus
from tests.pms.conftest import GUEST, FakeQloApps
from tests.pms.fake_qloapps import UNUSABLE

pytestmark = pytest.mark.django_db
Search = Callable[..., StaySearch]


def book(search: StaySearch) -> Booking:
    booking, _is_new = services.book(search=search, guest=GUEST, price=None)
    return booking


def statuses() -> list[str]:
    return list(Allocation.objects.values_list("status", flat=True))


def test_booking_in_qloapps_becomes_a_stay_and_a_reservation(qloapps: FakeQloApps, search: Search) -> None:
    booking, _is_new = services.book(search=search(), guest=GUEST, price=Money(Decimal("200.00"), "EUR"))
    [made] = qloapps.bookings
    assert (booking.status, booking.pms_id) == (BookingStatus.BOOKED, str(made["id"]))
    assert made["associations"]["remarks"] == [f"hotelagent:{booking.reference}"]
    assert made["associations"]["customer_detail"]["lastname"] == "Reyes"
    reservation = Reservation.objects.get()
    assert (reservation.id, reservation.external_id) == (booking.reservation_id, booking.pms_id)
    assert reservation.guest_email == "ana@example.com"
    assert reservation.stay_id == booking.hold_id
    assert statuses() == [AllocationStatus.CONFIRMED]
    assert (booking.guest, booking.encrypted_hold_token) == (None, None)


@pytest.mark.parametrize("fault", ["lost", "cut", "broken", *UNUSABLE])
def test_booking_whose_response_is_lost_is_found_and_not_sent_again(
    qloapps: FakeQloApps, search: Search, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    monkeypatch.setattr(policy, "WRITE_TIMEOUT_SECONDS", 0.5)
    qloapps.set(booking_faults=[fault])
    booking = book(search())
    assert booking.status == BookingStatus.UNKNOWN
    assert statuses() == [AllocationStatus.HELD]
    assert resolution.resolve(booking.id)
    booking.refresh_from_db()
    assert (booking.status, booking.sends) == (BookingStatus.BOOKED, 1)
    assert len(qloapps.bookings) == 1
    assert statuses() == [AllocationStatus.CONFIRMED]


def test_booking_that_never_arrived_is_sent_again(qloapps: FakeQloApps, search: Search) -> None:
    qloapps.set(booking_faults=["early"])
    booking = book(search())
    assert booking.status == BookingStatus.UNKNOWN
    resolution.resolve(booking.id)
    booking.refresh_from_db()
    assert (booking.status, booking.sends) == (BookingStatus.BOOKED, 2)
    assert len(qloapps.bookings) == 1


def test_refused_booking_releases_the_room(qloapps: FakeQloApps, search: Search) -> None:
    qloapps.set(rooms={"1": [], "2": []})
    with pytest.raises(BookingRefused, match="not available"):
        book(search())
    assert statuses() == [AllocationStatus.RELEASED]
    assert Booking.objects.get().status == BookingStatus.REFUSED


def test_booking_with_another_price_than_accepted_is_not_sent(qloapps: FakeQloApps, search: Search) -> None:
    with pytest.raises(PriceChanged) as error:
        services.book(search=search(), guest=GUEST, price=Money(Decimal(150), "EUR"))
    assert error.value.extra == {"price": "200.00 EUR"}
    assert (qloapps.bookings, statuses()) == ([], [])


def test_booking_with_a_wrong_access_key_raises_an_error_and_books_nothing(
    qloapps: FakeQloApps, search: Search
) -> None:
    connections.change_connection(changes={}, key="WRONG")
    with pytest.raises(PmsAccessDenied, match="access key"):
        book(search())
    assert (qloapps.bookings, statuses()) == ([], [AllocationStatus.RELEASED])


def test_room_type_that_is_not_assigned_is_a_clear_error_and_books_nothing(
    qloapps: FakeQloApps, search: Search
) -> None:
    connections.change_connection(changes={"room_types": {"double": "1"}})
    with pytest.raises(RoomTypeNotMapped, match="suite"):
        book(search(room_type="suite"))
    assert (qloapps.bookings, statuses()) == ([], [AllocationStatus.RELEASED])


def test_guest_whose_data_cannot_be_stored_is_refused_before_the_booking_is_sent(
    qloapps: FakeQloApps, search: Search
) -> None:
    with pytest.raises(InvalidReservation, match="guest_email"):
        services.book(search=search(), guest=Guest(name="Ana", email="no address"), price=None)
    assert (qloapps.bookings, statuses(), Booking.objects.count()) == ([], [], 0)


def test_cancelled_booking_frees_the_room_in_both_systems(qloapps: FakeQloApps, search: Search) -> None:
    booking = book(search())
    cancelled = services.cancel(booking.id)
    assert cancelled.status == BookingStatus.CANCELLED
    assert qloapps.active_bookings == []
    assert Reservation.objects.get().status == ReservationStatus.CANCELLED
    assert statuses() == [AllocationStatus.CANCELLED]
    assert services.cancel(booking.id).status == BookingStatus.CANCELLED


def test_cancellation_during_an_outage_is_repeated_until_the_pms_has_cancelled(
    qloapps: FakeQloApps, search: Search
) -> None:
    booking = book(search())
    qloapps.set(read_fault="503")
    assert services.cancel(booking.id).status == BookingStatus.CANCELLING
    for _attempt in range(3):
        resolution.resolve(booking.id)
    assert CircuitBreaker.objects.get(operation="find").open_until is not None
    booking.refresh_from_db()
    assert booking.status == BookingStatus.CANCELLING
    qloapps.set(read_fault="")
    breaker.reset("find")
    resolution.resolve(booking.id)
    booking.refresh_from_db()
    assert (booking.status, qloapps.active_bookings) == (BookingStatus.CANCELLED, [])


def test_booking_that_the_pms_has_twice_is_cancelled_once(qloapps: FakeQloApps, search: Search) -> None:
    qloapps.set(booking_faults=["lost", "lost"])
    booking = book(search())
    # A naive client sends the same booking again without a search.
    adapter = connections.adapter_of(connections.current_connection())
    with pytest.raises(PmsOutcomeUnknown):
        adapter.book(records.request_of(booking))
    assert len(qloapps.active_bookings) == 2
    resolution.resolve(booking.id)
    assert [made["id"] for made in qloapps.active_bookings] == [1]
    assert Booking.objects.get().status == BookingStatus.BOOKED


def test_booking_that_is_cancelled_while_it_is_being_sent_does_not_stay_in_the_pms(
    qloapps: FakeQloApps, search: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy, "SETTLE_TIME", datetime.timedelta(minutes=1))
    send = QloAppsAdapter.book

    def send_after_the_cancellation(adapter: QloAppsAdapter, request: BookingRequest) -> PmsBooking:
        services.cancel(Booking.objects.get().id)
        return send(adapter, request)

    monkeypatch.setattr(QloAppsAdapter, "book", send_after_the_cancellation)
    booking = book(search())
    assert (booking.status, len(qloapps.active_bookings)) == (BookingStatus.CANCELLING, 1)
    assert statuses() == [AllocationStatus.HELD]
    resolution.resolve(booking.id)
    booking.refresh_from_db()
    assert (booking.status, qloapps.active_bookings) == (BookingStatus.CANCELLED, [])
    assert (statuses(), Reservation.objects.count()) == ([AllocationStatus.RELEASED], 0)


def test_cancellation_of_a_booking_that_never_arrived_ends_after_the_settle_time(
    qloapps: FakeQloApps, search: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy, "SETTLE_TIME", datetime.timedelta(minutes=1))
    qloapps.set(booking_faults=["early"])
    booking = book(search())
    assert services.cancel(booking.id).status == BookingStatus.CANCELLING
    monkeypatch.setattr(policy, "SETTLE_TIME", datetime.timedelta(0))
    resolution.resolve(booking.id)
    booking.refresh_from_db()
    assert (booking.status, statuses()) == (BookingStatus.CANCELLED, [AllocationStatus.RELEASED])
