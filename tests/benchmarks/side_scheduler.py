"""tenant-schemas-celery's database scheduler when it is measured. Run by `contestants`, with Django set up."""

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
    PeriodicTask.objects.all().delete()  # ours, which each tenant without a schema would be found to have


def tenants(count: int) -> None:
    """So many tenants in all, without schemas: what a tick asks there is then found in `public`."""
    connection.set_schema_to_public()
    Client.objects.all().delete()
    Client.objects.bulk_create(Client(schema_name=f"bench{n}", name="bench") for n in range(count))
    _scheduler.cache_clear()


@cache
def _scheduler() -> Any:
    """With what it has in its tables read, as after its first tick."""
    app = Celery("bench", broker="memory://")
    app.conf.result_expires = None  # or each tenant would be found to have its clean-up task
    scheduler = TenantAwareDatabaseScheduler(app=app, lazy=True)
    connection.set_schema_to_public()
    scheduler.setup_schedule()
    scheduler.tick()
    return scheduler


def idle_tick(times: int) -> float:
    """Seconds a tick that finds nothing due."""
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
