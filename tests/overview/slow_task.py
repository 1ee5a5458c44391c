"""A Celery task that runs until a test releases it. A worker imports this module."""

import redis
from celery import shared_task
from django.conf import settings

from tenants.queue.celery_task import HotelTask

#: The Redis list that the task waits for.
RELEASE = "tests.slow_task.release"


@shared_task(base=HotelTask, name="tests.overview.wait_until_released")
def wait_until_released() -> None:
    """Wait until `release` is called, for a minute at most."""
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        client.blpop([RELEASE], timeout=60)


def release() -> None:
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        client.rpush(RELEASE, "released")
