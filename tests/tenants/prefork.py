"""A Celery task that reports the hotel, schema, role and process in which the task runs.

A worker imports this module with `--include tests.tenants.prefork`.
"""

import os

import redis
from celery import shared_task
from django.conf import settings
from django.db import connection

from tenants.context import current_tenant
from tenants.queue.celery_task import HotelTask

#: The Redis list that the task appends to.
REPORTS = "tests.prefork.reports"


@shared_task(base=HotelTask, name="tests.prefork.report")
def report(expected: str, *, fail: bool) -> None:
    """Store the current tenant, the database's current schema and user, and the process id in Redis.

    Raise an error if `fail` is set.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_schema(), current_user")
        schema, user = cursor.fetchone()
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        client.rpush(REPORTS, f"{expected}|{current_tenant().slug}|{schema}|{user}|{os.getpid()}")
    if fail:
        raise ZeroDivisionError
