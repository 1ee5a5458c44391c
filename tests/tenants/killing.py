"""A command that gets kill -9 at a point that the test chooses."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import TypeVar

import psycopg
from django.conf import settings

from hotelagent.embedded import paths
from tests.tenants import sql

T = TypeVar("T")


def kill_where_it_waits(
    *arguments: str, lock: str, program: tuple[str, ...] = ("manage.py",), server_too: bool = False
) -> None:
    """Run `manage.py` until it waits for what the statement `lock` holds, and end it there.

    When this returns the server has undone what the command had not committed. A statement that was on its
    way the server brings to its end, unless `server_too`.
    """
    before = _backends()
    # Its transaction only holds the lock, and others ask: an index that is made concurrently waits for whoever asks
    # in a transaction too, whatever table it is about.
    with psycopg.connect(settings.DATABASE_DIRECT_URL) as holding:
        holding.execute(lock)
        with subprocess.Popen([sys.executable, *program, *arguments], cwd=paths.CHECKOUT) as process:
            waiting = "SELECT pid FROM pg_locks WHERE NOT granted AND %s = ANY(pg_blocking_pids(pid))"
            blocked = _awaited(lambda: sql.ask(waiting, holding.info.backend_pid))
            process.send_signal(signal.SIGKILL)
        assert process.returncode == -signal.SIGKILL
        if server_too:
            sql.ask("SELECT pg_terminate_backend(%s)", blocked[0][0])
        holding.rollback()
    # The server notices that nobody is there any more when it may go on; and on the command's other connections,
    # one of which has the lock that keeps a second command out, in its own time.
    _awaited(lambda: not _backends() - before)


def _backends() -> set[int]:
    """Whoever is connected to this database beside us."""
    others = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    return {pid for (pid,) in sql.ask(others)}


def _awaited(found: Callable[[], T]) -> T:
    deadline = time.monotonic() + 30
    while not (answer := found()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return answer
