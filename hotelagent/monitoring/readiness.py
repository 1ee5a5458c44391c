"""What a process needs to answer requests, each part looked at within a bounded time."""

import functools
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as TookTooLong

import redis
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from tenants.context import platform_context

OK = "ok"
PART_SECONDS = 2.0
#: Once they are current for this code they stay so; a roll-back of the database is felt within this time.
MIGRATIONS_SEEN_SECONDS = 60.0

# Its own threads, so that a database that hangs costs a probe two seconds and not a worker's thread for ever.
# One thread for each part: while one still hangs, the next probe's part waits behind it and times out too.
_threads = {
    name: ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"ready-{name}")
    for name in ("database", "migrations", "redis")
}
_migrations_seen_at = float("-inf")


def parts() -> dict[str, str]:
    """The state of each part: `ok`, or what is wrong in words that name no host, login or key."""
    looks: dict[str, Callable[[], str]] = {
        "database": _database,
        "migrations": _migrations,
        "redis": _redis,
    }
    running = {name: _threads[name].submit(look) for name, look in looks.items()}
    deadline = time.monotonic() + PART_SECONDS
    states = {}
    for name, future in running.items():
        try:
            states[name] = future.result(timeout=max(0.0, deadline - time.monotonic()))
        except TookTooLong:
            future.cancel()
            states[name] = f"no answer within {PART_SECONDS:g} s"
        except Exception as error:  # noqa: BLE001 - whatever it is, this part is not ready
            states[name] = f"failing ({type(error).__name__})"
    return states


def _database() -> str:
    try:
        with platform_context(), connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError as error:
        return f"not reachable ({type(error).__name__})"
    finally:
        connection.close()  # every probe asks for a new one: that is what a request will do
    return OK


def _migrations() -> str:
    global _migrations_seen_at  # noqa: PLW0603 - remembered for the process
    if time.monotonic() - _migrations_seen_at < MIGRATIONS_SEEN_SECONDS:
        return OK
    try:
        with platform_context():
            applied = MigrationRecorder(connection).applied_migrations()
    except DatabaseError as error:
        return f"not readable ({type(error).__name__})"
    finally:
        connection.close()
    missing = wanted_migrations() - applied.keys()
    if missing:
        return f"{len(missing)} not applied; run `manage.py migrate`"
    _migrations_seen_at = time.monotonic()
    return OK


@functools.cache
def wanted_migrations() -> frozenset[tuple[str, str]]:
    """The newest migration of each app, as this code knows them."""
    return frozenset(MigrationLoader(None, ignore_no_migrations=True).graph.leaf_nodes())


def _redis() -> str:
    client = redis.Redis.from_url(
        settings.REDIS_URL, socket_connect_timeout=PART_SECONDS, socket_timeout=PART_SECONDS
    )
    try:
        client.ping()
    except redis.RedisError as error:
        return f"not reachable ({type(error).__name__})"
    finally:
        client.close()
    return OK
