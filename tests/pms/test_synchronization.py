"""Tests of the synchronization: bookings of the PMS become reservations, and conflicts are listed."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from hotelagent.pms import connections
from hotelagent.pms.adapters.interface import ConnectionSettings
from hotelagent.pms.adapters.qloapps.adapter import QloAppsAdapter
from hotelagent.pms.bookings import services
from hotelagent.pms.errors import PmsNotConfigured
from hotelagent.pms.models import Booking, BookingStatus, Conflict, ConflictKind
from hotelagent.pms.synchronization import SyncReport, synchronize
from hotelagent.pms.values import StaySearch
from locks.models import Allocation, AllocationStatus
from locks.services import acquire_hold_of_type
from reminders.models import Reservation, ReservationStatus
from reminders.reservations.services import cancel_reservation, merge_reservation
from tests.pms.conftest import GUEST, FakeQloApps
from tests.pms.contract import request_of
from tests.pms.fake_qloapps import KEY

pytestmark = pytest.mark.django_db
Search = Callable[..., StaySearch]


def book_in_pms(search: StaySearch, *, number: int = 1) -> None:
    """Make a booking in the PMS that does not come from us."""
    adapter = connections.adapter_of(connections.current_connection())
    adapter.book(request_of(search, reference=f"OTHER{number}"))


def counts(report: SyncReport) -> dict[str, int]:
    """Return the counts of a report that are not zero, after checking that they add up."""
    values = asdict(report)
    outcomes = ("created", "updated", "unchanged", "pending", "rejected")
    assert sum(values[name] for name in outcomes) == values["read"]
    return {name: count for name, count in values.items() if count}


def test_booking_of_the_pms_becomes_a_reservation_with_a_room(qloapps: FakeQloApps, search: Search) -> None:
    book_in_pms(search())
    assert counts(synchronize()) == {"read": 1, "created": 1}
    reservation = Reservation.objects.get()
    assert (reservation.external_id, reservation.guest_name, reservation.room_type) == (
        "1",
        "Ana Reyes",
        "double",
    )
    assert reservation.stay is not None
    assert reservation.stay.status == AllocationStatus.CONFIRMED


def test_second_synchronization_changes_nothing(qloapps: FakeQloApps, search: Search) -> None:
    book_in_pms(search())
    synchronize()
    version = Reservation.objects.get().version
    assert counts(synchronize()) == {"read": 1, "unchanged": 1}
    assert Reservation.objects.get().version == version


def test_cancellation_in_the_pms_cancels_the_reservation_and_frees_the_room(
    qloapps: FakeQloApps, search: Search
) -> None:
    booking, _is_new = services.book(search=search(), guest=GUEST, price=None)
    adapter = connections.adapter_of(connections.current_connection())
    [made] = adapter.list_changes(None)
    adapter.cancel(made)
    assert counts(synchronize()) == {"read": 1, "updated": 1}
    assert Reservation.objects.get().status == ReservationStatus.CANCELLED
    assert set(Allocation.objects.values_list("status", flat=True)) == {AllocationStatus.CANCELLED}
    assert Booking.objects.get(id=booking.id).status == BookingStatus.CANCELLED


def test_check_in_at_our_front_desk_is_kept_while_the_pms_reports_the_booking(
    qloapps: FakeQloApps, search: Search
) -> None:
    book_in_pms(search())
    synchronize()
    merge_reservation(external_id="1", status=ReservationStatus.CHECKED_IN, country="PRT")
    assert counts(synchronize()) == {"read": 1, "unchanged": 1}
    reservation = Reservation.objects.get()
    assert (reservation.status, reservation.country) == (ReservationStatus.CHECKED_IN, "PRT")


def test_reservation_that_is_cancelled_only_in_hotelagent_is_booked_again(
    qloapps: FakeQloApps, search: Search
) -> None:
    book_in_pms(search())
    synchronize()
    cancel_reservation(reservation_id=Reservation.objects.get().id)
    assert counts(synchronize()) == {"read": 1, "updated": 1}
    reservation = Reservation.objects.get()
    assert (reservation.status, reservation.stay is not None) == (ReservationStatus.BOOKED, True)


def test_synchronization_of_an_imported_booking_reads_its_reservation_once(
    qloapps: FakeQloApps, search: Search
) -> None:
    book_in_pms(search())
    synchronize()
    with CaptureQueriesContext(connection) as queries:
        synchronize()
    reads = [query for query in queries if 'FROM "reminders_reservation"' in query["sql"]]
    assert len(reads) == 1, reads


def test_booking_made_by_hotelagent_is_not_imported_a_second_time(
    qloapps: FakeQloApps, search: Search
) -> None:
    services.book(search=search(), guest=GUEST, price=None)
    assert counts(synchronize()) == {"read": 1, "unchanged": 1}
    assert Reservation.objects.count() == 1


def test_synchronization_skips_a_booking_whose_outcome_is_still_unknown(
    qloapps: FakeQloApps, search: Search
) -> None:
    qloapps.set(booking_faults=["lost"])
    services.book(search=search(), guest=GUEST, price=None)
    assert counts(synchronize()) == {"read": 1, "pending": 1}
    assert Reservation.objects.count() == 0


def test_room_that_the_pms_has_sold_twice_is_a_conflict(qloapps: FakeQloApps, search: Search) -> None:
    qloapps.set(rooms={"1": [101], "2": [201]}, delay=0.2)
    adapter = QloAppsAdapter(
        ConnectionSettings(
            url=qloapps.url, key=KEY, property_id="1", currency="EUR", room_types={"double": "1"}
        )
    )
    with ThreadPoolExecutor(2) as pool:
        list(
            pool.map(adapter.book, [request_of(search(), reference=f"OTHER{number}") for number in range(2)])
        )
    assert len(qloapps.active_bookings) == 2
    assert counts(synchronize()) == {"read": 2, "created": 2, "conflicts": 1}
    assert Conflict.objects.get().kind == ConflictKind.OVERBOOKED


def test_booking_of_the_pms_without_a_free_room_is_stored_and_is_a_conflict(
    qloapps: FakeQloApps, search: Search
) -> None:
    book_in_pms(search())
    acquire_hold_of_type(room_type="double", nights=search().nights, count=3)
    assert counts(synchronize()) == {"read": 1, "created": 1, "conflicts": 1}
    assert Conflict.objects.get().kind == ConflictKind.NO_FREE_ROOM
    assert Reservation.objects.get().stay is None
    assert counts(synchronize()) == {"read": 1, "unchanged": 1}


def test_synchronization_with_a_system_that_reports_no_changes_raises_an_error(rooms: None) -> None:
    with pytest.raises(PmsNotConfigured, match="nothing to synchronize"):
        synchronize()
