"""Checks of whether a process can handle requests: database, migrations, routing table, Redis and static files.

All checks together take at most two seconds.
"""

import functools
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError

import redis
from django.conf import settings
from django.contrib.staticfiles.storage import staticfiles_storage
from django.db import DatabaseError, connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from tenants import host_routing
from tenants.context import platform_context

OK = "ok"
TIMEOUT_SECONDS = 2.0
#: Number of seconds after a successful check of the migrations until the next check.
MIGRATIONS_CACHE_SECONDS = 60.0

# Each check has its own thread, so a check that hangs (such as one of the database) cannot block a web server thread.
# If a check hangs, its thread stays busy, so the check also times out in later probes until the thread is free.
_executors = {
    name: ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"ready-{name}")
    for name in ("database", "migrations", "routing", "redis", "static")
}
_migrations_checked_at = float("-inf")


def check_parts() -> dict[str, str]:
    """Check each part of the deployment, and return a dict with `ok` or the problem of each part.

    The texts contain no host names, user names or keys.
    """
    checks: dict[str, Callable[[], str]] = {
        "database": _check_database,
        "migrations": _check_migrations,
        "routing": _check_routing,
        "redis": _check_redis,
        "static": _check_static_files,
    }
    futures = {name: _executors[name].submit(check) for name, check in checks.items()}
    deadline = time.monotonic() + TIMEOUT_SECONDS
    states = {}
    for name, future in futures.items():
        try:
            states[name] = future.result(timeout=max(0.0, deadline - time.monotonic()))
        except FutureTimeoutError:
            future.cancel()
            states[name] = f"no response within {TIMEOUT_SECONDS:g} s"
        except Exception as error:  # noqa: BLE001 - whatever the error, this part is not ready
            states[name] = f"failing ({type(error).__name__})"
    return states


def _check_database() -> str:
    try:
        with platform_context(), connection.cursor() as cursor:
            cursor.execute("SHOW transaction_read_only")
            is_read_only = cursor.fetchone()[0] == "on"
    except DatabaseError as error:
        return f"not reachable ({type(error).__name__})"
    finally:
        # The connection is closed, so that each probe tests whether a new connection can be opened.
        connection.close()
    # The server is read-only if the pooler has connected this process to a standby server.
    return "read-only" if is_read_only else OK


def _check_migrations() -> str:
    global _migrations_checked_at  # noqa: PLW0603 - shared by the threads of the process
    if time.monotonic() - _migrations_checked_at < MIGRATIONS_CACHE_SECONDS:
        return OK
    try:
        with platform_context():
            applied = MigrationRecorder(connection).applied_migrations()
    except DatabaseError as error:
        return f"not readable ({type(error).__name__})"
    finally:
        connection.close()
    missing = required_migrations() - applied.keys()
    if missing:
        return f"{len(missing)} not applied; run `manage.py migrate`"
    _migrations_checked_at = time.monotonic()
    return OK


def _check_routing() -> str:
    """Check that the routing table can be read. The routing table maps the host of each request to a hotel."""
    try:
        host_routing.routing_cache.table()
    except Exception as error:  # noqa: BLE001 - whatever the error, requests would fail with it too
        return f"not readable ({type(error).__name__})"
    finally:
        connection.close()
    return OK


@functools.cache
def required_migrations() -> frozenset[tuple[str, str]]:
    """Return the newest migration of each app that this version of the code requires, as pairs of app and name."""
    return frozenset(MigrationLoader(None, ignore_no_migrations=True).graph.leaf_nodes())


def _check_redis() -> str:
    client = redis.Redis.from_url(
        settings.REDIS_URL, socket_connect_timeout=TIMEOUT_SECONDS, socket_timeout=TIMEOUT_SECONDS
    )
    try:
        # PING is not enough: a Redis server that is full or a read-only replica responds, but rejects tasks.
        client.set("hotelagent-ready", "1", ex=60)
    except redis.ResponseError as error:
        return f"does not accept writes ({type(error).__name__})"
    except redis.RedisError as error:
        return f"not reachable ({type(error).__name__})"
    finally:
        client.close()
    return OK


def _check_static_files() -> str:
    """Check that this process has loaded the list of static files. Without the list, pages of the admin fail."""
    if getattr(staticfiles_storage, "hashed_files", None) == {}:
        return "not collected; run `manage.py collectstatic` and restart"
    return OK
