"""Tests of the memory that a database connection needs per hotel. The tests call functions of a benchmark."""

import sys

import pytest

from tests.benchmarks import side_many_hotels

HOTELS = 9
#: Maximum memory in MB. The benchmark `hold-memory` measures 500 hotels and has the limit 0.15 MB. A measurement with
#: few hotels is less exact.
MAX_MEMORY_PER_HOTEL = 0.3


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(sys.platform != "linux", reason="reads the memory of a process from /proc")
def test_connection_that_serves_many_hotels_keeps_little_memory_per_hotel() -> None:
    side_many_hotels.make_hotels(0, HOTELS, rooms=1)
    assert side_many_hotels.first_hold(hotels=1) > 0
    memory_with_one_hotel = side_many_hotels.memory()
    assert side_many_hotels.hold_in_other_hotels(0, 0.5) > HOTELS
    growth = side_many_hotels.memory() - memory_with_one_hotel
    assert 0 < growth / (HOTELS - 1) < MAX_MEMORY_PER_HOTEL
    assert side_many_hotels.acquire() > 0
