"""Host -> hotel: no query on a warm process, and true within a second."""

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
def routes(settings: object) -> Iterator[host_routing.RoutingCache]:
    """As in production: with the thread."""
    settings.ROUTING_CHECK_SECONDS = 0.4  # type: ignore[attr-defined]
    routes = host_routing.RoutingCache()
    yield routes
    routes.stop()


def felt_within(seconds: float, question: Callable[[], bool]) -> float:
    """How long it took until the answer was yes; fails after `seconds`."""
    started = time.monotonic()
    while not question():
        assert time.monotonic() - started < seconds
        time.sleep(0.01)
    return time.monotonic() - started


def lookup(routes: host_routing.RoutingCache, host: str) -> Tenant | None:
    return routes.table().by_host.get(host)


def test_a_warm_process_asks_the_database_nothing(routes: host_routing.RoutingCache, hotel: Hotel) -> None:
    lookup(routes, "alpha.localhost")
    with CaptureQueriesContext(connection) as queries:
        for _ in range(1000):
            assert lookup(routes, "alpha.localhost") == hotel.tenant
            assert lookup(routes, "localhost") is PLATFORM
            assert lookup(routes, "nobody.localhost") is None
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
def test_a_change_is_felt_within_a_second(
    routes: host_routing.RoutingCache,
    hotel: Hotel,
    change: Callable[[Hotel], object],
    host: str,
    expected: bool,
) -> None:
    assert (lookup(routes, host) is not None) is not expected
    with platform_context():
        change(hotel)
    felt_within(1, lambda: (lookup(routes, host) is not None) is expected)


def test_a_removed_domain_is_unknown_within_a_second(routes: host_routing.RoutingCache, hotel: Hotel) -> None:
    services.add_domain(hotel_id=hotel.id, host="inn.example")
    assert lookup(routes, "inn.example") == hotel.tenant
    services.remove_domain(hotel_id=hotel.id, host="inn.example")
    felt_within(1, lambda: lookup(routes, "inn.example") is None)


def test_a_change_that_no_service_made_is_felt_too(routes: host_routing.RoutingCache, hotel: Hotel) -> None:
    assert lookup(routes, "alpha.localhost")
    with platform_context():
        Hotel.objects.filter(id=hotel.id).update(status=HotelStatus.SUSPENDED)
        Domain.objects.create(hotel=hotel, host="inn.example")
    felt_within(1, lambda: lookup(routes, "inn.example") is not None)
    tenant = lookup(routes, "alpha.localhost")
    assert tenant is not None
    assert tenant.status == "suspended"


def test_a_request_asks_for_itself_when_the_thread_is_late(
    routes: host_routing.RoutingCache, hotel: Hotel
) -> None:
    lookup(routes, "alpha.localhost")
    routes._stop.set()  # the thread is gone, and nobody noticed
    services.rename_hotel(hotel_id=hotel.id, slug="renamed")
    felt_within(1.1, lambda: lookup(routes, "renamed.localhost") is not None)


def test_the_thread_outlives_an_error(
    routes: host_routing.RoutingCache, hotel: Hotel, monkeypatch: pytest.MonkeyPatch
) -> None:
    lookup(routes, "alpha.localhost")
    failed = threading.Event()

    def fail() -> int:
        failed.set()
        raise OSError("the database is away")

    with monkeypatch.context() as patch:
        patch.setattr(host_routing, "_read_version", fail)
        assert failed.wait(2)
    services.rename_hotel(hotel_id=hotel.id, slug="renamed")
    # Nobody asks but the thread.
    felt_within(2, lambda: routes._table.by_host.get("renamed.localhost") is not None)


def test_a_forked_process_reads_for_itself(routes: host_routing.RoutingCache, hotel: Hotel) -> None:
    """gunicorn and Celery fork after they have loaded the application."""
    lookup(routes, "alpha.localhost")
    parent = routes._thread
    routes._pid = os.getpid() + 1  # what a child finds
    assert lookup(routes, "alpha.localhost") == hotel.tenant
    assert routes._thread is not parent
    assert parent is not None
    routes._used_at = 0


def test_a_process_that_nobody_asks_stops_looking(
    routes: host_routing.RoutingCache, hotel: Hotel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host_routing, "IDLE_AFTER", 0.2)
    lookup(routes, "alpha.localhost")
    assert routes._thread is not None
    routes._thread.join(2)
    assert not routes._thread.is_alive()
    monkeypatch.undo()
    services.rename_hotel(hotel_id=hotel.id, slug="renamed")
    time.sleep(host_routing.STALE_AFTER)
    assert lookup(routes, "renamed.localhost")


def test_many_threads_may_ask_at_once(routes: host_routing.RoutingCache, hotel: Hotel) -> None:
    answers: list[object] = []
    barrier = threading.Barrier(16)

    def ask() -> None:
        barrier.wait()
        answers.append(lookup(routes, "alpha.localhost"))
        connection.close()

    threads = [threading.Thread(target=ask) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [hotel.tenant] * 16
