"""A real Celery worker with forked processes, and helpers to wait for its effects."""

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
import redis
from django.conf import settings
from django.db import connection
from psycopg import sql

from hotelagent.celery import app
from tests import servers
from tests.broker import close_broker_connections, pending_messages
from tests.dlq.worker_tasks import RUNS
from tests.programs import running_python


@contextlib.contextmanager
def prefork_worker(*, include: str = "tests.dlq.worker_tasks") -> Iterator[None]:
    """Run a Celery worker with two forked processes. The worker imports the tasks of the modules `include`."""
    app.conf.update(broker_url=settings.REDIS_URL)
    close_broker_connections()
    with running_python(
        *("-m", "celery", "--quiet", "-A", "hotelagent.celery", "worker", "--include", include),
        *("--pool", "prefork", "--concurrency", "2", "--without-gossip", "--without-mingle"),
        *("--loglevel", "CRITICAL"),
    ) as worker:
        yield
        worker.stop(timeout=15)


def runs(key: str = RUNS) -> list[str]:
    """Return the lines that the tasks appended to the Redis list `RUNS`, one line for each run of a task."""
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        return [line.decode() for line in client.lrange(key, 0, -1)]


def messages() -> list[dict[str, Any]]:
    """Return the messages in the queue of the workers, and the messages that a worker has not acknowledged
    yet.
    """
    return pending_messages(settings.REDIS_URL)


def wait_for(query: Callable[[], Any], seconds: float = 40) -> Any:
    """Repeat the query until its result is true, and return the result. Fail the test after `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if result := query():
            return result
        time.sleep(0.05)
    return pytest.fail("The query returned no result in time.")


@contextlib.contextmanager
def database_outage() -> Iterator[None]:
    """End all connections to the database of the tests, and refuse new connections inside the context."""
    name = connection.settings_dict["NAME"]
    connection.close()
    url = servers.with_database(os.environ["HOTELAGENT_TEST_SUPERUSER_URL"], "postgres")

    def execute(statement: str, *values: str) -> None:
        with psycopg.connect(url, autocommit=True) as superuser:
            superuser.execute(sql.SQL(statement).format(sql.Identifier(name)), values)

    execute("ALTER DATABASE {} CONNECTION LIMIT 0")
    try:
        execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", name)
        yield
    finally:
        execute("ALTER DATABASE {} CONNECTION LIMIT -1")
