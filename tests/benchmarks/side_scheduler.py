"""The functions that measure the scheduler of tenant-schemas-celery, for the benchmark of the due queue.

The module `contestants` starts a process, configures Django in it and calls these functions.
"""

import time
from functools import cache
from typing import Any

from celery import Celery
from django.db import connections
from django.test.utils import CaptureQueriesContext
from django_celery_beat.models import PeriodicTask
from tenant_schemas_celery.db_scheduler import TenantAwareDatabaseScheduler

from tests.benchmarks import side_peer
from tests.benchmarks.peer.models import Client

connection: Any = connections["default"]


def prepare() -> None:
    side_peer.prepare()
    connection.set_schema_to_public()
    PeriodicTask.objects.all().delete()  # otherwise the scheduler reads the periodic tasks for each tenant


def set_tenant_count(count: int) -> None:
    """Delete all tenants, and insert `count` tenants without schemas.

    Because the schemas do not exist, the scheduler reads the tables of the schema `public` for each tenant.
    """
    connection.set_schema_to_public()
    Client.objects.all().delete()
    Client.objects.bulk_create(Client(schema_name=f"bench{n}", name="bench") for n in range(count))
    _scheduler.cache_clear()


@cache
def _scheduler() -> Any:
    """Return a scheduler of tenant-schemas-celery that has run once.

    The first run reads the tables of the scheduler, which must not be part of the measurement.
    """
    app = Celery("bench", broker="memory://")
    app.conf.result_expires = None  # otherwise Celery adds a task for each tenant that deletes old results
    scheduler = TenantAwareDatabaseScheduler(app=app, lazy=True)
    connection.set_schema_to_public()
    scheduler.setup_schedule()
    scheduler.tick()
    return scheduler


def idle_tick(times: int) -> float:
    """Return the time in seconds that one run of the scheduler takes while no task is due."""
    scheduler = _scheduler()
    began = time.perf_counter()
    for _ in range(times):
        scheduler.tick()
    return (time.perf_counter() - began) / times


def statements_of_idle_tick() -> float:
    scheduler = _scheduler()
    with CaptureQueriesContext(connection) as queries:
        scheduler.tick()
    return float(len(queries))
