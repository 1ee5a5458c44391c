"""A worker keeps its connection from task to task, and leaves one that is broken."""

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


def run() -> int:
    task = app.tasks[backend_pid.name]
    done = trace_task(task, "an-id", (), {}, {"is_eager": False, "delivery_info": {}}, app=app)
    assert isinstance(done.retval, int), done
    return done.retval


def test_it_keeps_its_connection_and_leaves_a_broken_one() -> None:
    first = run()
    assert run() == first
    connection.connection.pgconn.finish()
    assert run() != first
