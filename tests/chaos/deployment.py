"""A complete deployment for the chaos tests. Its parts are processes that a test can kill and restart."""

import contextlib
import os
import signal
from collections import Counter
from collections.abc import Sequence
from typing import Self

import psutil

from hotelagent.embedded import processes
from hotelagent.embedded.servers import postgres
from tests.chaos.process_starter import ProcessStarter
from tests.servers import PgBouncer, Servers

#: With these options, commits survive a crash of PostgreSQL, but not of the machine. The test kills only processes.
POSTGRES_OPTIONS = ("fsync=off", "full_page_writes=off")


class Deployment:
    """A deployment with PostgreSQL, Valkey and PgBouncer.

    The method `start` starts Celery workers and two Celery beat processes. `pools` contains the kind of pool and the
    number of processes or threads of each worker.
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
            environment |= {"DATABASE_URL": bouncer.url, **self.environment}
            log = self.servers.folder / "deployment.log"
            self.starter = self.stack.enter_context(ProcessStarter(environment, log=log))
            undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self.stack.close()

    def run_function(self, name: str, *arguments: object) -> None:
        """Call a function in a process of the deployment. `tests.chaos.processes` lists the functions.

        Raises RuntimeError.
        """
        if self.starter.run("call", name, *arguments):
            raise RuntimeError(f"{name} failed:\n{self.starter.log_tail()}")

    def start(self) -> None:
        """Start the Celery workers and the Celery beat processes."""
        self.workers = [self.starter.run("worker", *pool) for pool in self.pools]
        self.beats = [self.starter.start_beat(), self.starter.start_beat()]

    # Each of the following methods kills a process or server, and starts a replacement before it returns.

    def kill_worker(self, position: int) -> None:
        """Kill a Celery worker with all processes of its pool."""
        self.interrupted += self.pools[position][1]
        os.killpg(self.workers[position], signal.SIGKILL)
        self.workers[position] = self.starter.run("worker", *self.pools[position])

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
        self.beats.append(self.starter.start_beat())

    def restart_valkey(self) -> None:
        """Kill Valkey, the message broker, and start it again.

        Valkey loses its data unless it stores the data on disk.
        """
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
