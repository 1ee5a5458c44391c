"""Tests of bookings of several rooms in one call: all rooms are booked or none, and they are resolved together."""

from __future__ import annotations

import datetime
import uuid
from collections import Counter
from collections.abc import Callable

import pytest
from rest_framework.test import APIClient

from hotelagent.pms import connections, policy
from hotelagent.pms.adapters.qloapps import documents
from hotelagent.pms.adapters.qloapps.adapter import QloAppsAdapter
from hotelagent.pms.bookings import resolution, services
from hotelagent.pms.errors import BookingRefused
from hotelagent.pms.models import Booking, BookingStatus, Conflict, ConflictKind
from hotelagent.pms.synchronization import synchronize
from hotelagent.pms.values import StaySearch
from locks.errors import RoomTypeUnavailable
from locks.models import Allocation, AllocationStatus
from locks.services import acquire_hold_of_type
from reminders.models import Reservation, ReservationStatus
from tenants.database.clock import database_now
from tests.pms.conftest import GUEST, FakeQloApps
from tests.pms.contract import request_of
from tests.pms.test_api import body_of, put

pytestmark = pytest.mark.django_db
Search = Callable[..., StaySearch]


def book(search: StaySearch, *, room_count: int = 3) -> Booking:
    booking, _is_new = services.book(search=search, guest=GUEST, price=None, room_count=room_count)
    return booking


def statuses() -> Counter[str]:
    return Counter(Allocation.objects.values_list("status", flat=True))


def test_booking_of_three_rooms_is_one_booking_and_one_reservation(
    qloapps: FakeQloApps, search: Search
) -> None:
    booking = book(search())
    assert (booking.status, booking.room_count) == (BookingStatus.BOOKED, 3)
    [made] = qloapps.bookings
    [room_type] = made["associations"]["room_types"]
    assert [room["id_room"] for room in room_type["rooms"]] == [101, 102, 103]
    reservation = Reservation.objects.get()
    assert reservation.additional_room_types == ["double", "double"]
    assert reservation.adults == 6
    assert statuses() == {AllocationStatus.CONFIRMED: 3}
    report = synchronize()
    assert (report.unchanged, report.conflicts) == (1, 0)


@pytest.mark.parametrize("adapter", ["qloapps", "local"])
def test_booking_of_more_rooms_than_we_have_holds_none(
    qloapps: FakeQloApps, search: Search, adapter: str
) -> None:
    connections.change_connection(changes={"system": adapter})
    acquire_hold_of_type(room_type="double", nights=search().nights)
    with pytest.raises(RoomTypeUnavailable):
        book(search())
    assert (qloapps.bookings, statuses()) == ([], {AllocationStatus.HELD: 1})


def test_booking_of_more_rooms_than_the_pms_has_releases_all_rooms(
    qloapps: FakeQloApps, search: Search
) -> None:
    qloapps.set(rooms={"1": [101, 102], "2": []})
    with pytest.raises(BookingRefused, match="not available"):
        book(search())
    assert (qloapps.bookings, statuses()) == ([], {AllocationStatus.RELEASED: 3})


def test_booking_of_which_the_pms_made_only_a_part_is_cancelled_in_both_systems(
    qloapps: FakeQloApps, search: Search
) -> None:
    qloapps.set(booking_faults=["partial"])
    with pytest.raises(BookingRefused, match="only 2 of 3 rooms"):
        book(search())
    booking = Booking.objects.get()
    assert (booking.status, qloapps.active_bookings) == (BookingStatus.CANCELLED, [])
    assert "only 2 of 3 rooms" in booking.error_message
    assert (statuses(), Reservation.objects.count()) == ({AllocationStatus.RELEASED: 3}, 0)


@pytest.mark.parametrize("fault", ["lost", "early"])
def test_unclear_booking_of_three_rooms_is_resolved_as_one(
    qloapps: FakeQloApps, search: Search, fault: str
) -> None:
    qloapps.set(booking_faults=[fault])
    booking = book(search())
    assert (booking.status, statuses()) == (BookingStatus.UNKNOWN, {AllocationStatus.HELD: 3})
    resolution.resolve(booking.id)
    booking.refresh_from_db()
    assert (booking.status, len(qloapps.bookings)) == (BookingStatus.BOOKED, 1)
    assert (statuses(), Reservation.objects.count()) == ({AllocationStatus.CONFIRMED: 3}, 1)


def test_holds_of_all_rooms_are_kept_until_the_outcome_of_the_booking_is_known(
    qloapps: FakeQloApps, search: Search
) -> None:
    qloapps.set(booking_faults=["lost"], read_fault="503")
    booking = book(search())
    for _attempt in policy.RESOLVE_DELAYS:
        resolution.resolve(booking.id)
    kept_until = set(Allocation.objects.values_list("expires_at", flat=True))
    assert len(kept_until) == 1
    [until] = kept_until
    assert until is not None
    assert until > database_now() + datetime.timedelta(hours=1)


def test_cancelled_booking_of_three_rooms_frees_all_rooms(qloapps: FakeQloApps, search: Search) -> None:
    booking = services.cancel(book(search()).id)
    assert (booking.status, qloapps.active_bookings) == (BookingStatus.CANCELLED, [])
    assert statuses() == {AllocationStatus.CANCELLED: 3}


def test_local_booking_of_three_rooms_is_cancelled_and_found(rooms: None, search: Search) -> None:
    booking = book(search())
    adapter = connections.adapter_of(connections.current_connection())
    [found] = adapter.find(booking.reference, since=booking.created_at)
    assert [room.room_type for room in found.rooms] == ["double"] * 3
    services.cancel(booking.id)
    assert (Reservation.objects.get().status, statuses()) == (
        ReservationStatus.CANCELLED,
        {AllocationStatus.CANCELLED: 3},
    )


def test_booking_of_several_rooms_over_rest_is_made_once(
    api: APIClient, qloapps: FakeQloApps, search: Search
) -> None:
    id_ = uuid.uuid4()
    price = {"amount": "200.00", "currency": "EUR"}
    first, second = (put(api, id_, body_of(search(), room_count=2, price=price)) for _request in range(2))
    assert (first.status_code, second.status_code) == (201, 200), first.json()
    assert (first.json()["room_count"], second.json()["room_count"]) == (2, 2)
    assert len(qloapps.bookings) == 1
    assert put(api, uuid.uuid4(), body_of(search(), room_count=11)).status_code == 400


def test_imported_booking_of_several_rooms_gets_a_room_for_each(qloapps: FakeQloApps, search: Search) -> None:
    adapter = connections.adapter_of(connections.current_connection())
    adapter.book(request_of(search(), reference="OTHER", room_count=2))
    assert (synchronize().conflicts, statuses()) == (0, {AllocationStatus.CONFIRMED: 2})
    assert Reservation.objects.get().additional_room_types == ["double"]


def test_imported_booking_of_rooms_of_different_types_is_a_conflict(
    qloapps: FakeQloApps, search: Search
) -> None:
    adapter = connections.adapter_of(connections.current_connection())
    assert isinstance(adapter, QloAppsAdapter)
    document = documents.booking_document(adapter._settings, request_of(search(), reference="OTHER"))
    room_types = document["booking"]["associations"]["room_types"]
    room_types.append(room_types[0] | {"id_room_type": 2, "rooms": [{"adults": 2, "child": 0}]})
    adapter._client.change("POST", "bookings", document)
    assert (synchronize().conflicts, synchronize().conflicts) == (1, 0)
    assert Conflict.objects.get().kind == ConflictKind.MIXED_ROOMS
    assert statuses() == {AllocationStatus.CONFIRMED: 1}
