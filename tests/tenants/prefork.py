"""A task that tells where it runs: `celery -A hotelagent.celery worker --include tests.tenants.prefork`."""

import os

import redis
from celery import shared_task
from django.conf import settings
from django.db import connection

from tenants.context import current_tenant
from tenants.queue.celery_task import HotelTask

TOLD = "tests.prefork.told"


@shared_task(base=HotelTask, name="tests.prefork.tell")
def tell(expected: str, *, fail: bool) -> None:
    """The tenant, the schema that a statement reached, and the process; then it may fail."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_schema(), current_user")
        schema, user = cursor.fetchone()
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        client.rpush(TOLD, f"{expected}|{current_tenant().slug}|{schema}|{user}|{os.getpid()}")
    if fail:
        raise ZeroDivisionError
