"""The functions that the benchmarks of PMS calls run to measure hotelagent, pybreaker and plain Redis.

The module `contestants` calls these functions in a separate process, in which Django is set up.
"""

import datetime
import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from decimal import Decimal
from functools import cache

import pybreaker
import redis
from django.conf import settings
from django.core.cache import cache as django_cache
from django.db import connections as database_connections

from hotelagent.pms import connections, policy
from hotelagent.pms.calls import availability_cache, breaker
from hotelagent.pms.errors import PmsUnavailable
from hotelagent.pms.search import search_availability
from hotelagent.pms.values import Money, Offer, StaySearch
from locks import selectors
from locks.nights import Nights
from tenants.context import Tenant, hotel_context, platform_context
from tenants.models import Hotel
from tenants.services import create_hotel
from tests.benchmarks.side_holds_common import count_calls
from tests.pms.fake_qloapps import KEY

SLUG = "bench"
OPERATION = "availability"
#: The key of the cached offers, without the hotel and the version that Django adds.
_PLAIN_KEY = "bench:plain"
_OFFERS = [
    Offer(
        room_type=f"Type {number}",
        free_rooms=number,
        price=Money(Decimal("120.50"), "EUR"),
        taxes_included=True,
    )
    for number in range(1, 6)
]


def prepare(url: str) -> None:
    """Create the hotel, and connect it to the QloApps server with this URL."""
    create_hotel(slug=SLUG, name="Hotel Bench", email="desk@example.com")
    with hotel_context(_tenant()):
        connections.change_connection(
            changes={
                "system": "qloapps",
                "url": url,
                "property_id": "1",
                "currency": "EUR",
                "room_types": {"double": "1"},
            },
            key=KEY,
        )


# The circuit breaker


def call_through_breaker(seconds: float) -> float:
    """Return the number of successful calls through the breaker in `seconds` seconds."""

    def call() -> None:
        with breaker.guard(OPERATION):
            pass

    with hotel_context(_tenant()):
        return count_calls(call, seconds)


def fail_through_breaker(seconds: float) -> float:
    """Return the number of failed calls through the breaker in `seconds` seconds. The breaker never opens."""
    policy.BREAKER_WINDOW_SECONDS = 0

    def call() -> None:
        with suppress(PmsUnavailable), breaker.guard(OPERATION):
            raise PmsUnavailable("down")

    with hotel_context(_tenant()):
        return count_calls(call, seconds)


def call_through_pybreaker(seconds: float) -> float:
    """Return the number of successful calls through pybreaker in `seconds` seconds."""
    return count_calls(lambda: _pybreaker().call(lambda: None), seconds)


def fail_through_pybreaker(seconds: float) -> float:
    """Return the number of failed calls through pybreaker in `seconds` seconds. Its breaker never opens."""

    def fail() -> None:
        raise PmsUnavailable("down")

    def call() -> None:
        with suppress(PmsUnavailable):
            _pybreaker().call(fail)

    return count_calls(call, seconds)


@cache
def _pybreaker() -> pybreaker.CircuitBreaker:
    storage = pybreaker.CircuitRedisStorage(pybreaker.STATE_CLOSED, _redis(), namespace=SLUG)
    return pybreaker.CircuitBreaker(fail_max=10**9, state_storage=storage)


# The cache


def store_offers() -> None:
    """Store the same offers in the cache of hotelagent and, as one JSON value, under a plain key of Redis."""
    with hotel_context(_tenant()):
        availability_cache.search(_search(), load=lambda: _OFFERS)
        text = django_cache.get(availability_cache._key_of(_search()))
        assert isinstance(text, str)
    _redis().set(_PLAIN_KEY, text)


def read_cache(times: int) -> float:
    """Return the time in seconds of a search that is answered from the cache."""

    def load() -> list[Offer]:
        raise AssertionError("The offers are not in the cache.")

    with hotel_context(_tenant()):
        search = _search()
        started = time.perf_counter()
        for _ in range(times):
            availability_cache.search(search, load=load)
        return (time.perf_counter() - started) / times


def read_redis(times: int) -> float:
    """Return the time in seconds of a plain GET with the decoding of its JSON."""
    client = _redis()
    started = time.perf_counter()
    for _ in range(times):
        json.loads(client.get(_PLAIN_KEY) or "")
    return (time.perf_counter() - started) / times


def search_in_threads(threads: int, start: float, day: int) -> float:
    """Search for the same offers in each of the threads, all at the time `start` (Unix time).

    Return the number of offers that all threads together found.
    """
    tenant = _tenant()

    def ask(_number: int) -> int:
        with hotel_context(tenant):
            search = _search(day)
            time.sleep(max(0.0, start - time.time()))
            try:
                return len(search_availability(search).offers)
            finally:
                database_connections.close_all()

    with ThreadPoolExecutor(threads) as pool:
        return float(sum(pool.map(ask, range(threads))))


def _search(day: int = 1) -> StaySearch:
    check_in = selectors.today() + datetime.timedelta(days=day)
    return StaySearch(Nights(check_in, check_in + datetime.timedelta(days=1)), adults=2)


@cache
def _tenant() -> Tenant:
    with platform_context():
        return Hotel.objects.get(slug=SLUG).tenant


@cache
def _redis() -> "redis.Redis":
    return redis.Redis.from_url(settings.REDIS_URL)
