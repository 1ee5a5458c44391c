"""A complete deployment for the chaos tests. Its parts are processes that a test can kill and restart."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Self

import psutil
import psycopg

from hotelagent.embedded import paths, processes
from hotelagent.embedded.servers import postgres
from tests.chaos.processes import BEAT_LEASE, BEAT_RENEWAL
from tests.servers import PgBouncer, Servers

#: Commits survive a crash of the server. A crash of the machine is not tested.
POSTGRES_OPTIONS = ("fsync=off", "full_page_writes=off")


class Deployment:
    """A deployment with PostgreSQL, Valkey and PgBouncer.

    `start` starts Celery workers and two Celery beat processes. A worker is identified by its position, and `pools` has
    the pool of each worker with the number of its processes or threads.
    """

    def __init__(self, *, pools: Sequence[tuple[str, int]], **environment: str) -> None:
        self.pools = pools
        self.environment = environment
        self.servers = Servers()
        self.servers.postgres.options = POSTGRES_OPTIONS
        self.stack = contextlib.ExitStack()
        self.workers: list[int] = []
        self.beats: list[int] = []
        #: The maximum number of messages that killed workers were processing.
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
                env={**os.environ, **environment, "DATABASE_URL": bouncer.url, "LOG_LEVEL": "WARNING",
                     **self.environment},
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

    def run_function(self, name: str, *arguments: object) -> None:
        """Call a function in a process of the deployment. `tests.chaos.processes` lists them. Raises RuntimeError."""
        if self._run("call", name, *arguments):
            raise RuntimeError(f"{name} failed:\n{self.log_tail()}")

    def start(self) -> None:
        """Start the Celery workers and the Celery beat processes."""
        self.workers = [self._run("worker", *pool) for pool in self.pools]
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

    def kill_worker(self, position: int) -> None:
        """Kill a Celery worker with all processes of its pool."""
        self.interrupted += self.pools[position][1]
        os.killpg(self.workers[position], signal.SIGKILL)
        self.workers[position] = self._run("worker", *self.pools[position])

    def kill_pool_process(self, position: int = 0) -> None:
        """Kill one process of the prefork pool of a Celery worker. The worker then starts a new process."""
        with contextlib.suppress(psutil.NoSuchProcess):
            children = psutil.Process(self.workers[position]).children()
            if children:
                self.interrupted += 1
                children[0].kill()

    def kill_beat(self) -> None:
        """Kill the Celery beat process that was started first. In most cases this process is the leader."""
        os.killpg(self.beats.pop(0), signal.SIGKILL)
        self.beats.append(self.start_beat())

    def restart_valkey(self) -> None:
        """Kill Valkey, the message broker, and start it again. Valkey loses its data unless it stores them on disk."""
        self._restart(1, signal.SIGKILL)

    def restart_postgres(self) -> None:
        """Restart PostgreSQL with an immediate shutdown: sessions are aborted, and the WAL is replayed at the start."""
        self.interrupted += sum(concurrency for _pool, concurrency in self.pools)
        self._restart(0, signal.SIGQUIT)

    def _restart(self, index: int, signal_number: int) -> None:
        processes.stop(self.servers.children[index], signal_number=signal_number, timeout=30)
        server = (self.servers.postgres, self.servers.valkey)[index]
        self.servers.children[index] = server.start(self.servers.log)
        server.wait_until_ready(self.servers.children[index])
