"""Test that Celery workers reuse their database connection from one task to the next."""

import pytest
from celery import shared_task
from celery.app.trace import trace_task
from django.db import connection

from hotelagent.celery import app
from tenants.context import platform_context
from tenants.queue.celery_task import HotelTask

pytestmark = pytest.mark.django_db(transaction=True)


@shared_task(base=HotelTask, name="tests.tenants.backend_pid")
def backend_pid() -> int:
    with platform_context(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


def run_task() -> int:
    task = app.tasks[backend_pid.name]
    result = trace_task(task, "an-id", (), {}, {"is_eager": False, "delivery_info": {}}, app=app)
    assert isinstance(result.retval, int), result
    return result.retval


def test_celery_worker_reuses_its_database_connection_unless_the_connection_is_broken() -> None:
    first = run_task()
    assert run_task() == first
    connection.connection.pgconn.finish()
    assert run_task() != first
