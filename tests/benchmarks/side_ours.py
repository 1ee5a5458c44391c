"""The functions of hotelagent that the benchmarks `fleet` and `growth` measure.

The module `contestants` calls them in a separate process, in which Django is set up.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from django.core.management import call_command
from django.db import connection
from django.http import HttpResponse
from django.test import RequestFactory

from tenants import services
from tenants.context import platform_context
from tenants.database import roles
from tenants.database.connections import direct_connection, execute_script
from tenants.database.logins import get_database_logins
from tenants.lifecycle import schema_template
from tenants.lifecycle.backup.create import backup_hotel
from tenants.middleware import HotelMiddleware
from tenants.models import Hotel, HotelStatus, SchemaTemplate
from tests.benchmarks.contestants import HOSTS, add_field
from tests.tenants.sql import count_relations

#: Number of connections that create hotels at the same time.
FILL_THREADS = 2


def prepare() -> None:
    call_command("migrate", verbosity=0)


def fill(start: int, count: int) -> None:
    for number in range(start, start + count):
        services.create_hotel(slug=f"bench-{number}", name="Bench")


def fill_directly(count: int) -> None:
    """Create `count` hotels with several connections at the same time.

    The service `create_hotel` would create one hotel after the other, which would take too long for many hotels.
    """
    with platform_context():
        template = SchemaTemplate.objects.get()
    script = schema_template.full_script(template)
    relations = schema_template.list_script_relations(script)
    hotels = [
        Hotel(slug=f"bench-{number}", name="Bench", schema=f"hotel_bench_{number}", status=HotelStatus.ACTIVE,
              schema_version=template.schema_version)
        for number in range(count)
    ]  # fmt: skip

    def create_schemas(share: list[Hotel]) -> None:
        with direct_connection(), platform_context(), connection.cursor() as cursor:
            logins = get_database_logins(cursor)
            for hotel in share:
                execute_script(
                    f"CREATE SCHEMA {hotel.schema};\n"
                    + schema_template.render_script(script, schema=hotel.schema)
                    + roles.create_role_sql(role=hotel.role, logins=logins)
                    + roles.grants_sql(schema=hotel.schema, role=hotel.role, relations=relations)
                )

    with ThreadPoolExecutor(FILL_THREADS) as pool:
        list(pool.map(create_schemas, [hotels[number::FILL_THREADS] for number in range(FILL_THREADS)]))
    with platform_context():
        Hotel.objects.bulk_create(hotels)


def backup() -> None:
    with TemporaryDirectory() as folder:
        with platform_context():
            hotel_id = Hotel.objects.values_list("id", flat=True).get(slug="bench-3")
        backup_hotel(hotel_id=hotel_id, path=Path(folder, "bench.hotel"), progress=lambda _table, _rows: None)


def create(number: int) -> None:
    services.create_hotel(slug=f"created-{number}", name="Created")


def migrate() -> None:
    call_command("migrate", verbosity=0)


def migrate_check() -> None:
    call_command("migrate", check_unapplied=True, verbosity=0)


def migrate_one_field_more(number: int) -> float:
    add_field(number)
    started = time.perf_counter()
    call_command("migrate", verbosity=0)
    return time.perf_counter() - started


def relations() -> float:
    """Return the number of PostgreSQL relations (tables, indexes and sequences) in the schema of one hotel."""
    return float(sum(count_relations("hotel_bench_3")))


def resolve() -> float:
    """Return the time in seconds that the middleware needs per request to find the hotel of a host name, with filled
    caches.
    """
    middleware = HotelMiddleware(lambda _request: HttpResponse())
    requests = [RequestFactory().get("/", headers={"host": "bench-3.localhost"}) for _ in range(HOSTS)]
    started = time.perf_counter()
    for request in requests:
        middleware(request)
    return (time.perf_counter() - started) / HOSTS
