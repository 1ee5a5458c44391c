"""The lock that prevents concurrent migrations, the lock timeout, and a retry after a lock timeout or a deadlock."""

import contextlib
import random
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from django.db import OperationalError, connection
from psycopg import errors

from tenants.errors import MigrationConflict

T = TypeVar("T")

#: The two keys of the advisory lock: "hot" and "mig" in ASCII.
_ADVISORY_LOCK = (0x686F74, 0x6D6967)
#: The maximum time for which a migration waits for a lock.
#: This lock timeout is short, because other transactions must wait while the migration waits for the lock.
LOCK_TIMEOUT = "2s"
MAX_ATTEMPTS = 6


@contextlib.contextmanager
def hold_migration_lock() -> Iterator[None]:
    """Return a context manager that holds this database's migration lock.

    Raises MigrationConflict immediately if another process holds the lock.

    The lock is a session advisory lock, so use this context manager inside `direct_connection()`. PostgreSQL releases
    the lock if the process is killed.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", _ADVISORY_LOCK)
        if not cursor.fetchone()[0]:
            raise MigrationConflict(
                "Another migration, deletion or restore is running on this database. Try again when it has finished."
            )
    try:
        yield
    finally:
        if connection.connection is not None and not connection.connection.closed:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", _ADVISORY_LOCK)


def set_lock_timeout() -> None:
    """Limit the time for which a statement of the current transaction waits for a lock to LOCK_TIMEOUT."""
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")


def retry_on_lock_timeout(work: Callable[[], T]) -> T:
    """Call `work`, and call it again after a pause if it fails with a lock timeout or a deadlock.

    Makes up to MAX_ATTEMPTS attempts, then raises the last error.
    """
    for attempt in range(1, MAX_ATTEMPTS + 1):
        try:
            return work()
        except OperationalError as error:
            if attempt == MAX_ATTEMPTS or not isinstance(
                error.__cause__, errors.LockNotAvailable | errors.DeadlockDetected
            ):
                raise
            # A random pause makes it unlikely that two migrations block each other again.
            time.sleep(random.uniform(0.5, 1) * attempt)  # noqa: S311
    raise AssertionError
