"""The functions that the benchmark `many_hotels` measures: one process acquires holds in many hotels.

The module `contestants` starts the process and calls these functions in it.
"""

import datetime
import itertools
import statistics
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from django.db import connection

from locks import selectors, services
from locks.nights import Nights
from tenants.context import Tenant, hotel_context, platform_context
from tenants.models import Hotel
from tenants.services import create_hotel
from tests.benchmarks.side_holds_common import count_calls

PREFIX = "many-"


def make_hotels(first: int, count: int, rooms: int) -> None:
    """Create hotels with double rooms."""
    for number in range(first, first + count):
        with hotel_context(create_hotel(slug=f"{PREFIX}{number}", name="Bench")):
            services.ensure_rooms({"double": rooms})


def hold_in_other_hotels(caller: int, seconds: float) -> float:
    """Acquire and release holds for `seconds` seconds, each in a different hotel. Return the number of holds."""
    hotels = _endless_hotels(caller)
    return count_calls(lambda: _acquire_and_release(next(hotels), caller), seconds)


def first_hold(hotels: int | None = None) -> float:
    """Acquire and release a hold in each of the first `hotels` hotels (default: all hotels), on one new connection.

    Return the median time in seconds for a hold.
    """
    chosen = _hotels()[:hotels]
    connection.close()
    return statistics.median(_acquire_and_release(hotel, 0) for hotel in chosen)


def memory() -> float:
    """Return the size in MB of the memory that the server process of this connection has allocated.

    The size does not include the buffers that all connections share.
    """
    with platform_context(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        status = Path(f"/proc/{cursor.fetchone()[0]}/status").read_text()
    [kilobytes] = [line.split()[1] for line in status.splitlines() if line.startswith("RssAnon:")]
    return int(kilobytes) / 1024


def acquire() -> float:
    """Acquire a hold in the first hotel, which the connection has used before. Return the duration in seconds."""
    return _acquire_and_release(_hotels()[0], 0)


def _acquire_and_release(hotel: tuple[Tenant, list[int], Nights], caller: int) -> float:
    """Acquire and release a hold on one room. Return the time in seconds that acquiring the hold took."""
    tenant, rooms, nights = hotel
    with hotel_context(tenant):
        started = time.perf_counter()
        acquired = services.acquire_hold(rooms=[rooms[caller]], nights=nights)
        took = time.perf_counter() - started
        services.release_hold(acquired.id, token=acquired.token)
    return took


@cache
def _hotels() -> list[tuple[Tenant, list[int], Nights]]:
    """Return each hotel of the benchmark with the ids of its double rooms and the night that begins tomorrow."""
    with platform_context():
        tenants = [hotel.tenant for hotel in Hotel.objects.filter(slug__startswith=PREFIX)]
    hotels = []
    for tenant in tenants:
        with hotel_context(tenant):
            check_in = selectors.today() + datetime.timedelta(days=1)
            nights = Nights(check_in, check_in + datetime.timedelta(days=1))
            hotels.append((tenant, services.ensure_rooms({})["double"], nights))
    return hotels


@cache
def _endless_hotels(caller: int) -> Iterator[tuple[Tenant, list[int], Nights]]:
    """Return an endless iterator over the hotels. Each caller starts at a different hotel."""
    start = caller * len(_hotels()) // 8
    return itertools.cycle(_hotels()[start:] + _hotels()[:start])


def end() -> None:
    """Close the connection."""
    connection.close()
