"""Tests of host routing.

Finding a hotel by its host needs no query, and changes take effect within a second.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tenants import host_routing, services
from tenants.context import PLATFORM, Tenant, platform_context
from tenants.models import Domain, Hotel, HotelStatus

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def cache(settings: object) -> Iterator[host_routing.RoutingCache]:
    """Return a routing cache with a thread that checks the database for changes, as in production."""
    settings.ROUTING_CHECK_SECONDS = 0.4  # type: ignore[attr-defined]
    cache = host_routing.RoutingCache()
    yield cache
    cache.stop()


def assert_within(seconds: float, condition: Callable[[], bool]) -> None:
    """Wait until the condition is true. Fail if the condition is still false after `seconds` seconds."""
    started = time.monotonic()
    while True:
        begun = time.monotonic()
        if condition():
            return
        assert begun - started < seconds
        time.sleep(0.01)


def lookup(cache: host_routing.RoutingCache, host: str) -> Tenant | None:
    return cache.table().by_host.get(host)


def test_host_lookup_with_a_loaded_routing_table_runs_no_query(
    cache: host_routing.RoutingCache, hotel: Hotel
) -> None:
    lookup(cache, "alpha.localhost")
    with CaptureQueriesContext(connection) as queries:
        for _ in range(1000):
            assert lookup(cache, "alpha.localhost") == hotel.tenant
            assert lookup(cache, "localhost") is PLATFORM
            assert lookup(cache, "unknown.localhost") is None
    assert len(queries) == 0


@pytest.mark.parametrize(
    ("change", "host", "expected"),
    [
        (lambda h: services.rename_hotel(hotel_id=h.id, slug="renamed"), "renamed.localhost", True),
        (lambda h: services.rename_hotel(hotel_id=h.id, slug="renamed"), "alpha.localhost", False),
        (lambda h: services.add_domain(hotel_id=h.id, host="inn.example"), "inn.example", True),
        (lambda h: services.create_hotel(slug="new", name="New"), "new.localhost", True),
        (lambda h: h.delete(), "alpha.localhost", False),
    ],
)
def test_routing_change_by_a_service_takes_effect_within_a_second(
    cache: host_routing.RoutingCache,
    hotel: Hotel,
    change: Callable[[Hotel], object],
    host: str,
    expected: bool,
) -> None:
    assert (lookup(cache, host) is not None) is not expected
    with platform_context():
        change(hotel)
    assert_within(1, lambda: (lookup(cache, host) is not None) is expected)


def test_removed_domain_is_unknown_within_a_second(cache: host_routing.RoutingCache, hotel: Hotel) -> None:
    services.add_domain(hotel_id=hotel.id, host="inn.example")
    assert lookup(cache, "inn.example") == hotel.tenant
    services.remove_domain(hotel_id=hotel.id, host="inn.example")
    assert_within(1, lambda: lookup(cache, "inn.example") is None)


def test_routing_change_by_a_queryset_update_takes_effect_within_a_second(
    cache: host_routing.RoutingCache, hotel: Hotel
) -> None:
    assert lookup(cache, "alpha.localhost")
    with platform_context():
        Hotel.objects.filter(id=hotel.id).update(status=HotelStatus.SUSPENDED)
        Domain.objects.create(hotel=hotel, host="inn.example")
    assert_within(1, lambda: lookup(cache, "inn.example") is not None)
    tenant = lookup(cache, "alpha.localhost")
    assert tenant is not None
    assert tenant.status == "suspended"


def test_host_lookup_without_a_refresh_thread_reloads_a_changed_table(
    cache: host_routing.RoutingCache, hotel: Hotel
) -> None:
    lookup(cache, "alpha.localhost")
    cache._stop.set()
    services.rename_hotel(hotel_id=hotel.id, slug="renamed")
    assert_within(1.1, lambda: lookup(cache, "renamed.localhost") is not None)


def test_routing_thread_continues_after_a_database_error(
    cache: host_routing.RoutingCache, hotel: Hotel, monkeypatch: pytest.MonkeyPatch
) -> None:
    lookup(cache, "alpha.localhost")
    failed = threading.Event()

    def fail() -> int:
        failed.set()
        raise OSError("the database is unavailable")

    with monkeypatch.context() as patch:
        patch.setattr(host_routing, "_read_version", fail)
        assert failed.wait(30)
    services.rename_hotel(hotel_id=hotel.id, slug="renamed")
    # The test makes no lookup, so only the background thread refreshes the routing table.
    assert_within(30, lambda: cache._table.by_host.get("renamed.localhost") is not None)


def test_forked_process_starts_its_own_routing_thread(cache: host_routing.RoutingCache, hotel: Hotel) -> None:
    """Both gunicorn and Celery load the application before they fork.

    Threads do not continue in the forked processes.
    """
    lookup(cache, "alpha.localhost")
    parent_thread = cache._thread
    cache._pid = os.getpid() + 1  # as if the process had been forked
    assert lookup(cache, "alpha.localhost") == hotel.tenant
    assert cache._thread is not parent_thread
    assert parent_thread is not None
    cache._used_at = 0


def test_idle_routing_thread_stops_and_the_next_lookup_starts_a_new_thread(
    cache: host_routing.RoutingCache, hotel: Hotel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host_routing, "IDLE_AFTER", 0.2)
    lookup(cache, "alpha.localhost")
    assert cache._thread is not None
    cache._thread.join(30)
    assert not cache._thread.is_alive()
    monkeypatch.undo()
    services.rename_hotel(hotel_id=hotel.id, slug="renamed")
    time.sleep(host_routing.STALE_AFTER)
    assert lookup(cache, "renamed.localhost")


def test_host_lookups_by_many_threads_return_the_same_tenant(
    cache: host_routing.RoutingCache, hotel: Hotel
) -> None:
    results: list[object] = []
    barrier = threading.Barrier(16)

    def look_up() -> None:
        barrier.wait()
        results.append(lookup(cache, "alpha.localhost"))
        connection.close()

    threads = [threading.Thread(target=look_up) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [hotel.tenant] * 16
