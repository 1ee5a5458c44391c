"""Tests with many bookings whose responses are lost, and with processes that are killed during a booking."""

from __future__ import annotations

import datetime
import multiprocessing
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connections as database_connections

from hotelagent.pms import connections, policy
from hotelagent.pms.bookings import resolution, services
from hotelagent.pms.errors import PmsOutcomeUnknown
from hotelagent.pms.models import UNSETTLED, Booking, BookingStatus
from hotelagent.pms.values import StaySearch
from locks import selectors
from locks.models import Allocation, AllocationStatus
from locks.nights import Nights
from locks.services import ensure_rooms
from reminders.models import Reservation
from tenants.context import hotel_context
from tenants.models import Hotel
from tests.pms.conftest import GUEST, FakeQloApps, connect_to
from tests.pms.contract import request_of

#: The number of bookings. `make chaos` uses 1,000 (PMS_BOOKINGS).
BOOKINGS = int(os.environ.get("PMS_BOOKINGS", "40"))
#: The number of bookings whose outcome is not clear at the same time.
GROUP = 10
Search = Callable[..., StaySearch]


def references(server: FakeQloApps) -> Counter[str]:
    """Return how often the server has each reference of an active booking."""
    return Counter(booking["associations"]["remarks"][0] for booking in server.active_bookings)


def searches(count: int) -> list[StaySearch]:
    """Return searches for one night each, of which three begin on each day, because there are three rooms."""
    today = selectors.today()
    days = [today + datetime.timedelta(days=1 + number // 3) for number in range(count)]
    return [
        StaySearch(Nights(day, day + datetime.timedelta(days=1)), adults=2, room_type="double")
        for day in days
    ]


@pytest.fixture
def many_bookings(
    hotel: Hotel, fake_qloapps: FakeQloApps, _fast_retries: None, monkeypatch: Any
) -> FakeQloApps:
    monkeypatch.setattr(policy, "BREAKER_FAILURES", 10**6)
    # The server has the clock and the time zone of the hotel, so a search need not include earlier bookings.
    monkeypatch.setattr(policy, "FIND_MARGIN", datetime.timedelta(0))
    fake_qloapps.set(time_zone=hotel.time_zone)
    with hotel_context(hotel):
        ensure_rooms({"double": 3, "suite": 1})
        connect_to(fake_qloapps.url)
    return fake_qloapps


@pytest.mark.django_db(transaction=True)
def test_bookings_with_lost_answers_are_each_made_once(many_bookings: FakeQloApps, hotel: Hotel) -> None:
    generator = random.Random(7)  # noqa: S311 - no secret
    faults = [generator.choice(["lost", "cut", "broken", "early"]) for _booking in range(BOOKINGS)]
    with hotel_context(hotel):
        requests = list(zip(searches(BOOKINGS), faults, strict=True))
        for first in range(0, BOOKINGS, GROUP):
            for search, fault in requests[first : first + GROUP]:
                many_bookings.set(booking_faults=[fault])
                booking, _is_new = services.book(search=search, guest=GUEST, price=None)
                assert booking.status == BookingStatus.UNKNOWN
            many_bookings.set(booking_faults=[])
            for id_ in Booking.objects.filter(status=BookingStatus.UNKNOWN).values_list("id", flat=True):
                resolution.resolve(id_)
        assert set(Booking.objects.values_list("status", flat=True)) == {BookingStatus.BOOKED}
        assert Reservation.objects.count() == BOOKINGS
        assert Allocation.objects.filter(status=AllocationStatus.CONFIRMED).count() == BOOKINGS
    made = references(many_bookings)
    print(f"{Counter(faults)}: {made.total()} bookings in the PMS, {made.total() - len(made)} of them twice")
    assert (len(made), made.total()) == (BOOKINGS, BOOKINGS)


@pytest.mark.django_db
def test_naive_retry_books_twice(qloapps: FakeQloApps, search: Search) -> None:
    """For comparison, a client that repeats a request without a response makes the booking twice."""
    qloapps.set(booking_faults=["lost"])
    adapter = connections.adapter_of(connections.current_connection())
    request = request_of(search(), reference="REF2345678")
    try:
        adapter.book(request)
    except PmsOutcomeUnknown:
        adapter.book(request)
    assert references(qloapps) == {"hotelagent:REF2345678": 2}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("step", ["before_call", "during_call", "after_call"])
def test_booking_of_a_killed_process_is_completed_by_another_process(
    many_bookings: FakeQloApps, hotel: Hotel, step: str
) -> None:
    with hotel_context(hotel):
        [search] = searches(1)
    database_connections.close_all()
    if step == "during_call":
        many_bookings.set(delay=1.0)
    process = multiprocessing.get_context("fork").Process(target=book_and_die, args=(hotel, search, step))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    many_bookings.set(delay=0.0)
    with hotel_context(hotel):
        booking = Booking.objects.get()
        assert booking.status == BookingStatus.SENDING
        wait_for_the_server(many_bookings, step)
        resolution.resolve(booking.id)
        booking.refresh_from_db()
        assert booking.status == BookingStatus.BOOKED
        assert Reservation.objects.get().external_id == booking.pms_id
        assert not Booking.objects.filter(status__in=UNSETTLED).exists()
    assert references(many_bookings).total() == 1


def wait_for_the_server(server: FakeQloApps, step: str) -> None:
    """Wait until the server has made the booking whose client was killed. In production, workers wait `SETTLE_TIME`."""
    while step != "before_call" and not server.bookings:
        time.sleep(0.05)


def book_and_die(hotel: Hotel, search: StaySearch, step: str) -> None:
    """Make a booking, and kill the current process at this step of the booking."""

    def die(*_args: Any, **_kwargs: Any) -> Any:
        os.kill(os.getpid(), signal.SIGKILL)

    if step == "before_call":
        services.requests.write = die  # type: ignore[attr-defined]
    elif step == "after_call":
        services.outcomes.complete = die  # type: ignore[attr-defined]
    else:
        signal.signal(signal.SIGALRM, die)
        signal.setitimer(signal.ITIMER_REAL, 0.6)  # the server takes a second for the booking
    with hotel_context(hotel):
        services.book(search=search, guest=GUEST, price=None)
