"""Helpers that run a management command until it waits for a chosen lock, and then kill it."""

import signal
import time
from collections.abc import Callable
from typing import TypeVar

import psycopg
from django.conf import settings

from tests.programs import running_python
from tests.tenants import sql

T = TypeVar("T")


def kill_while_waiting_for_lock(
    *arguments: str, lock: str, program: tuple[str, ...] = ("manage.py",), kill_backend: bool = False
) -> None:
    """Run `manage.py` until it waits for a lock, then kill it with SIGKILL.

    This function acquires the lock on another connection, with the SQL statement `lock`. If `kill_backend` is true,
    PostgreSQL's process for the command is terminated, so the statement that waits for the lock is not completed. When
    the function returns, PostgreSQL has rolled back all uncommitted changes of the command.
    """
    previous = _other_backends()
    # This transaction only holds the lock. The queries below run in other transactions.
    # CREATE INDEX CONCURRENTLY waits for every transaction that has a snapshot.
    with psycopg.connect(settings.DATABASE_DIRECT_URL) as holder:
        holder.execute(lock)
        with running_python(*program, *arguments) as process:
            waiting = "SELECT pid FROM pg_locks WHERE NOT granted AND %s = ANY(pg_blocking_pids(pid))"
            blocked = _wait_until(lambda: sql.query(waiting, holder.info.backend_pid))
            process.send_signal(signal.SIGKILL)
            assert process.wait() == -signal.SIGKILL
        if kill_backend:
            sql.query("SELECT pg_terminate_backend(%s)", blocked[0][0])
        holder.rollback()
    # PostgreSQL notices that the client of a session is lost when the session stops waiting for a lock.
    # The other sessions of the killed command end later. One of these sessions holds the migration lock.
    # Until that session ends, a second command would be refused.
    _wait_until(lambda: not _other_backends() - previous)


def _other_backends() -> set[int]:
    others = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    return {pid for (pid,) in sql.query(others)}


def _wait_until(condition: Callable[[], T]) -> T:
    deadline = time.monotonic() + 30
    while not (result := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return result
