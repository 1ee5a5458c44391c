"""Two deploys can't migrate at once, and neither stalls the hotels that are open."""

import contextlib
import random
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from django.db import OperationalError, connection
from psycopg import errors

from tenants.errors import MigrationConflict

T = TypeVar("T")

#: The class and the object of the advisory lock: "hotelagent", "migrate".
_DEPLOY = (0x686F74, 0x6D6967)
#: A migration that waits for a table lets everybody after it wait too. So it gives up soon, and tries again.
LOCK_TIMEOUT = "2s"
ATTEMPTS = 6


@contextlib.contextmanager
def hold_migration_lock() -> Iterator[None]:
    """Hold this database's one migration lock; raises MigrationConflict at once where another does.

    A lock of the session: call it inside `direct_connection()`. It ends with the process, by kill -9 too.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", _DEPLOY)
        if not cursor.fetchone()[0]:
            raise MigrationConflict(
                "Another `migrate` of this database is running. Wait for it; it is safe to run this one after it."
            )
    try:
        yield
    finally:
        if connection.connection is not None and not connection.connection.closed:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", _DEPLOY)


def retry_on_lock_timeout(work: Callable[[], T]) -> T:
    """Do what may run into LOCK_TIMEOUT or a deadlock, and do it again after a pause, ATTEMPTS times in all."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return work()
        except OperationalError as error:
            if attempt == ATTEMPTS or not isinstance(
                error.__cause__, errors.LockNotAvailable | errors.DeadlockDetected
            ):
                raise
            time.sleep(random.uniform(0.5, 1) * attempt)  # noqa: S311 - so that two don't meet again
    raise AssertionError
