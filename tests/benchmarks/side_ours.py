"""The functions of hotelagent that the benchmark `fleet` measures.

`contestants` runs them in a process in which Django is set up.
"""

import time

from django.core.management import call_command
from django.http import HttpResponse
from django.test import RequestFactory

from tenants import services
from tenants.middleware import HotelMiddleware
from tests.benchmarks.contestants import HOSTS, add_field
from tests.tenants.sql import count_relations


def prepare() -> None:
    call_command("migrate", verbosity=0)


def fill(start: int, count: int) -> None:
    for number in range(start, start + count):
        services.create_hotel(slug=f"bench-{number}", name="Bench")


def create(number: int) -> None:
    services.create_hotel(slug=f"created-{number}", name="Created")


def migrate() -> None:
    call_command("migrate", verbosity=0)


def migrate_one_field_more(number: int) -> float:
    add_field(number)
    started = time.perf_counter()
    call_command("migrate", verbosity=0)
    return time.perf_counter() - started


def relations() -> float:
    """Return the number of PostgreSQL relations (tables, indexes and sequences) in the schema of one hotel."""
    return float(sum(count_relations("hotel_bench_3")))


def resolve() -> float:
    """Return the time in seconds that the middleware needs per request to find the hotel of a host name (caches are
    filled).
    """
    middleware = HotelMiddleware(lambda _request: HttpResponse())
    requests = [RequestFactory().get("/", headers={"host": "bench-3.localhost"}) for _ in range(HOSTS)]
    started = time.perf_counter()
    for request in requests:
        middleware(request)
    return (time.perf_counter() - started) / HOSTS
