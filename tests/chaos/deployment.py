"""A complete deployment for the chaos tests. Its parts are processes that a test can kill and restart."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Self

import psutil
import psycopg
import redis

from hotelagent.embedded import paths, processes
from hotelagent.embedded.servers import postgres
from tests.chaos.mail_server import ChaosMailServer
from tests.chaos.processes import BEAT_LEASE, BEAT_RENEWAL
from tests.servers import PgBouncer, Servers

#: Commits survive a crash of the server. A crash of the machine is not tested.
POSTGRES_OPTIONS = ("fsync=off", "full_page_writes=off")
WORKER_POOLS = ("prefork", "threads")
CONCURRENCY = 2  # messages that a worker sends at the same time


@dataclass(frozen=True)
class Result:
    """The outcome of a chaos test, read from the database. Reminders are identified by their Message-IDs."""

    by_status: dict[str, set[str]]
    queued: int
    sent_events: Counter[str]


class Deployment:
    """A deployment with PostgreSQL, Valkey and PgBouncer.

    `start` starts two Celery workers and two Celery beat processes.
    """

    def __init__(self, mail_server: ChaosMailServer) -> None:
        self.mail_server = mail_server
        self.servers = Servers()
        self.servers.postgres.options = POSTGRES_OPTIONS
        self.stack = contextlib.ExitStack()
        self.workers: dict[str, int] = {}
        self.beats: list[int] = []
        #: The maximum number of messages that killed workers were sending.
        self.interrupted = 0
        self.incidents: Counter[str] = Counter()

    def __enter__(self) -> Self:
        self.stack.callback(self.servers.stop)
        with contextlib.ExitStack() as undo:
            undo.push(self.stack.__exit__)
            self.servers.start()
            environment = self.servers.environment(postgres.DATABASE, 0)
            bouncer = self.stack.enter_context(PgBouncer(environment["DATABASE_URL"], pool_size=8))
            self.log = (self.servers.folder / "deployment.log").open("w+b")
            self.stack.callback(self.log.close)
            self.program = subprocess.Popen(
                [sys.executable, "-m", "tests.chaos.processes"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, cwd=paths.CHECKOUT,
                env={**os.environ, **environment, "DATABASE_URL": bouncer.url,
                     "EMAIL_URL": f"smtp://127.0.0.1:{self.mail_server.port}", "LOG_LEVEL": "WARNING"},
            )  # fmt: skip
            self.stack.callback(self._end)
            undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self.stack.close()

    def _end(self) -> None:
        if self.program.stdin and self.program.stdout:
            self.program.stdin.close()
            self.program.stdout.close()
        self.program.wait(60)

    def _run(self, *command: object) -> int:
        """Send a command to the program `tests.chaos.processes`, and return the result of the command."""
        if not (self.program.stdin and self.program.stdout):
            raise RuntimeError("The program has no pipes.")
        self.program.stdin.write(json.dumps(command).encode() + b"\n")
        self.program.stdin.flush()
        result = self.program.stdout.readline()
        if not result:
            raise RuntimeError(f"The program has ended:\n{self.log_tail()}")
        return int(result)

    def log_tail(self) -> str:
        """Return the last lines of the log that all processes write to."""
        self.log.seek(0)
        return self.log.read().decode(errors="replace")[-6000:]

    def create_hotels(self, *, hotels: int, reminders: int) -> None:
        """Create hotels with reminders that are due now."""
        if self._run("create_hotels", hotels, reminders):
            raise RuntimeError(f"The hotels could not be created:\n{self.log_tail()}")

    def start(self) -> None:
        """Start the Celery workers and the Celery beat processes."""
        for pool in WORKER_POOLS:
            self.workers[pool] = self._run("worker", pool)
        self.beats = [self.start_beat(), self.start_beat()]

    def start_beat(self, *, lease: int = BEAT_LEASE, renewal: float = BEAT_RENEWAL) -> int:
        """Start a Celery beat process and return its process id.

        The beat that starts first becomes the leader, which sends the periodic tasks.
        """
        return self._run("beat", lease, renewal)

    def leader(self) -> int | None:
        """Return the process id of the leading Celery beat, or None if no beat holds the lease."""
        with psycopg.connect(self.servers.postgres.url(postgres.SUPERUSER), autocommit=True) as connection:
            row = connection.execute("SELECT holder FROM tenants_lease WHERE name = 'beat'").fetchone()
        return int(row[0].split(":")[1]) if row else None

    # Incidents. When a method returns, a replacement for what it has killed is running.

    def kill_worker(self, pool: str) -> None:
        """Kill a Celery worker with all processes of its pool."""
        self.interrupted += CONCURRENCY
        os.killpg(self.workers[pool], signal.SIGKILL)
        self.workers[pool] = self._run("worker", pool)

    def kill_pool_process(self) -> None:
        """Kill one process of the prefork pool of a Celery worker. The worker then starts a new process."""
        with contextlib.suppress(psutil.NoSuchProcess):
            children = psutil.Process(self.workers["prefork"]).children()
            if children:
                self.interrupted += 1
                children[0].kill()

    def kill_beat(self) -> None:
        """Kill the Celery beat process that was started first. In most cases this process is the leader."""
        os.killpg(self.beats.pop(0), signal.SIGKILL)
        self.beats.append(self.start_beat())

    def flush_valkey(self) -> None:
        """Delete all data in Valkey, the message broker, including queued tasks."""
        with redis.Redis.from_url(self.servers.valkey.url()) as client:
            client.flushall()

    def restart_valkey(self) -> None:
        """Kill Valkey, the message broker, and start it again without its data."""
        self._restart(1, signal.SIGKILL)

    def restart_postgres(self) -> None:
        """Restart PostgreSQL with an immediate shutdown: sessions are aborted, and the WAL is replayed at the start."""
        self.interrupted += CONCURRENCY * len(WORKER_POOLS)
        self._restart(0, signal.SIGQUIT)

    def _restart(self, index: int, signal_number: int) -> None:
        processes.stop(self.servers.children[index], signal_number=signal_number, timeout=30)
        server = (self.servers.postgres, self.servers.valkey)[index]
        self.servers.children[index] = server.start(self.servers.log)
        server.wait_until_ready(self.servers.children[index])

    def disconnect_after_message(self) -> None:
        """Make the mail server accept each of the next two messages and disconnect without the final reply."""
        self.mail_server.disconnects += 2

    def hang(self) -> None:
        """Make the mail server accept the next message, but reply only after the worker has given up waiting."""
        self.mail_server.hangs += 1

    def make_mail_server_unavailable(self) -> None:
        """Make the mail server refuse the next two messages with the reply 421 (service not available)."""
        self.mail_server.unavailable += 2

    # Results.

    def result(self) -> Result:
        """Read the final status of the reminders of all hotels from the database."""
        by_status: dict[str, set[str]] = {}
        sent_events: Counter[str] = Counter()
        with psycopg.connect(self.servers.postgres.url(postgres.SUPERUSER), autocommit=True) as connection:
            for hotel, schema in connection.execute("SELECT id, schema FROM tenants_hotel").fetchall():
                rows = connection.execute(f'SELECT id, status FROM "{schema}".reminders_reminder')
                for id_, status in rows:
                    by_status.setdefault(status, set()).add(f"<{id_.hex}.{hotel.hex}@localhost>")
                sent_events.update(
                    f"<{id_.replace('-', '')}.{hotel.hex}@localhost>"
                    for (id_,) in connection.execute(
                        f"SELECT subject_id FROM \"{schema}\".audit_event WHERE event = 'reminder.sent'"
                    )
                )
            queued = connection.execute(
                "SELECT count(*) FROM tenants_dueitem WHERE kind = 'reminder'"
            ).fetchone()
        return Result(by_status, queued[0] if queued else -1, sent_events)

    def wait_until(self, condition: Callable[[], bool], *, timeout: float) -> None:
        """Wait until the condition is true. Fail after `timeout` seconds without a new message.

        The timeout restarts whenever the mail server accepts a message.
        """
        last, deadline = -1, time.monotonic() + timeout
        while not condition():
            if (accepted := self.mail_server.accepted.total()) != last:
                last, deadline = accepted, time.monotonic() + timeout
            if time.monotonic() > deadline:
                raise AssertionError(f"No message for {timeout} s, after {last} messages.\n{self.log_tail()}")
            time.sleep(0.01)

    def is_idle(self) -> bool:
        """Return whether the due queue contains no reminders, so that the workers have nothing to send."""
        time.sleep(0.1)
        with psycopg.connect(self.servers.postgres.url(postgres.SUPERUSER), autocommit=True) as connection:
            row = connection.execute(
                "SELECT EXISTS (SELECT FROM tenants_dueitem WHERE kind = 'reminder')"
            ).fetchone()
        return row == (False,)


@contextlib.contextmanager
def deployment(mail_server: ChaosMailServer, *, hotels: int, reminders: int) -> Iterator[Deployment]:
    """Start a deployment with hotels and due reminders, and yield it. No worker and no beat is running yet."""
    with Deployment(mail_server) as running:
        running.create_hotels(hotels=hotels, reminders=reminders)
        yield running
