"""The functions that use django-tenants in the benchmark `fleet`.

The module `contestants` starts a process, sets up Django in it, and calls the functions there.
"""

import re
import time
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.db import connections, transaction
from django.http import HttpResponse
from django.test import RequestFactory
from django_tenants.middleware.main import TenantMainMiddleware

from tenants.lifecycle import pgtools
from tests.benchmarks.contestants import HOSTS, add_field
from tests.benchmarks.peer.models import Client, ClientDomain
from tests.benchmarks.peer.settings import TENANT_BASE_SCHEMA as BASE

connection: Any = connections["default"]


def prepare() -> None:
    call_command("migrate_schemas", shared=True, verbosity=0)
    _create_tenant(BASE)


def fill(start: int, count: int) -> None:
    """Create tenants before a measurement.

    The schemas of the tenants are copied from a dump, which is ten times as fast as running the migrations.
    """
    connection.set_schema_to_public()
    dump = pgtools.run("pg_dump", f"--schema={BASE}", "--no-owner", "--inserts", "--no-comments")
    script = re.sub(r"^(SET |SELECT pg_catalog\.set_config|\\).*$", "", dump, flags=re.MULTILINE)
    for number in range(start, start + count):
        name = f"bench{number}"
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL check_function_bodies = false;" + re.sub(rf"\b{BASE}\b", name, script))
            connection.set_schema_to_public()
            Client.objects.bulk_create([Client(schema_name=name, name=name)])
        client = Client.objects.get(schema_name=name)
        ClientDomain.objects.create(domain=f"{name}.localhost", tenant=client, is_primary=True)


def create_by_migrating(name: str) -> None:
    settings.TENANT_CREATION_FAKES_MIGRATIONS = False
    _create_tenant(name)


def create_by_clone(name: str) -> None:
    settings.TENANT_CREATION_FAKES_MIGRATIONS = True
    _create_tenant(name)


def _create_tenant(name: str) -> None:
    connection.set_schema_to_public()
    client = Client(schema_name=name, name=name)
    client.save(verbosity=0)
    ClientDomain.objects.create(domain=f"{name}.localhost", tenant=client, is_primary=True)


def count() -> float:
    """Return the number of tenants in the database that django-tenants uses in the comparison."""
    connection.set_schema_to_public()
    return float(Client.objects.count())


def migrate(executor: str) -> None:
    """Migrate the schemas of the tenants, but not the schema `public`, which the benchmark does not measure."""
    connection.set_schema_to_public()
    call_command("migrate_schemas", tenant=True, executor=executor, verbosity=0)


def migrate_one_field_more(number: int) -> float:
    add_field(number)
    started = time.perf_counter()
    migrate("multiprocessing")
    return time.perf_counter() - started


def resolve() -> float:
    """Return the time in seconds that the middleware of django-tenants needs per request to find the tenant of a host
    name.
    """
    middleware = TenantMainMiddleware(lambda _request: HttpResponse())
    requests = [RequestFactory().get("/", headers={"host": "bench3.localhost"}) for _ in range(HOSTS // 10)]
    started = time.perf_counter()
    for request in requests:
        middleware(request)
    return (time.perf_counter() - started) / len(requests)
