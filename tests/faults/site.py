"""A complete deployment on one machine: web server, worker, beat, PostgreSQL, PgBouncer, Valkey and a mail server.

The methods of `Site` kill, pause or slow the processes of one part. A part that was killed is started again at the end
of the fault, as systemd and Kubernetes do.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Self

import psutil
import psycopg

from hotelagent.embedded import paths, ports, processes
from hotelagent.embedded.servers import postgres, valkey
from tests import servers
from tests.programs import run_python

#: The parts of a deployment.
WEB, WORKER, BEAT, POSTGRES, PGBOUNCER, VALKEY = PARTS = (
    "the web server", "the worker", "beat", "PostgreSQL", "PgBouncer", "Valkey",
)  # fmt: skip
#: Size of the file system with PostgreSQL's data. A small file system can be filled quickly.
DISK_MEGABYTES = 800
#: A slowed process is paused for most of the time: seconds in which it is paused, and in which it runs.
PAUSED_SECONDS, RUNNING_SECONDS = 0.045, 0.005


class Site:
    """The running deployment. All its processes end at the end of the `with` block."""

    def __init__(self) -> None:
        self.servers = servers.Servers(durable=True)
        self.servers.valkey.persistence = valkey.DURABLE
        self.stack = contextlib.ExitStack()
        self.port = ports.find_free_port()
        self.web_and_tasks: dict[str, subprocess.Popen[bytes]] = {}
        self.connections = contextlib.ExitStack()
        self._slowing = threading.Event()
        self._slow_thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as undo:
            undo.push(self.stack.__exit__)
            self.has_small_disk = self._mount_small_disk()
            self.stack.callback(self.servers.stop)
            self.servers.start()
            if problem := self.servers.build_template():
                raise RuntimeError(problem)
            self.mail = self.stack.enter_context(servers.mail_server())
            environment = self.servers.environment(postgres.DATABASE, 0)
            self.bouncer = self.stack.enter_context(
                servers.PgBouncer(environment["DATABASE_URL"], pool_size=8)
            )
            self.environment = {
                **os.environ,
                **environment,
                "DATABASE_URL": self.bouncer.url,
                "EMAIL_URL": f"smtp://{ports.LOOPBACK}:{self.mail.port}",
                "LOG_LEVEL": "WARNING",
                "DEBUG": "false",  # as in production: with DEBUG, Django responds with 500 and a traceback
            }
            prepared = run_python("-m", "tests.faults.hotel", environment=self.environment)
            if prepared.returncode:
                raise RuntimeError(prepared.stderr)
            self.api_key = prepared.stdout.strip()
            self.stack.callback(self._stop_web_and_tasks)
            self.stack.callback(self.connections.close)
            for part in (WEB, WORKER, BEAT):
                self._start(part)
            servers.wait_until_listening(
                self.web_and_tasks[WEB], self.port, self.servers.folder / "servers.log", timeout=60
            )
            undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self.stack.close()

    def _mount_small_disk(self) -> bool:
        """Mount a small file system in memory for PostgreSQL's data. Return whether this is possible."""
        home = Path(paths.private_folder(self.servers.postgres.home))
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={DISK_MEGABYTES}m,mode=700", "tmpfs", str(home)],
            check=False, capture_output=True,
        )  # fmt: skip
        if mounted.returncode == 0:
            self.stack.callback(subprocess.run, ["umount", "--lazy", str(home)], check=False)
        return mounted.returncode == 0

    def _start(self, part: str) -> None:
        command = {
            WEB: ["gunicorn", "--config", "deploy/gunicorn.conf.py", "--workers", "2",
                  "--bind", f"{ports.LOOPBACK}:{self.port}", "hotelagent.wsgi"],
            WORKER: ["celery", "--quiet", "-A", "hotelagent.celery", "worker", "--concurrency", "2",
                     "--loglevel", "WARNING"],
            BEAT: ["celery", "--quiet", "-A", "hotelagent.celery", "beat", "--loglevel", "WARNING"],
        }[part]  # fmt: skip
        self.web_and_tasks[part] = subprocess.Popen(
            [sys.executable, "-m", *command], cwd=paths.CHECKOUT, env=self.environment,
            stdin=subprocess.DEVNULL, stdout=self.servers.log, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip

    def _stop_web_and_tasks(self) -> None:
        for process in self.web_and_tasks.values():
            processes.stop(process, signal_number=signal.SIGKILL, timeout=10)

    def _process(self, part: str) -> "subprocess.Popen[bytes]":
        """Return the main process of the part."""
        if part == PGBOUNCER:
            return self.bouncer.running
        if part in {POSTGRES, VALKEY}:
            return self.servers.children[(POSTGRES, VALKEY).index(part)]
        return self.web_and_tasks[part]

    def _all_processes(self, part: str) -> list[psutil.Process]:
        main = psutil.Process(self._process(part).pid)
        return [main, *main.children(recursive=True)]

    def log_tail(self) -> str:
        """Return the last lines that the servers and the processes have written."""
        return (self.servers.folder / "servers.log").read_text(errors="replace")[-6000:]

    # Faults. The end of each is below.

    def kill_child(self, part: str) -> None:
        """Kill one child process of the part, as the kernel does if the memory is used up."""
        children = psutil.Process(self._process(part).pid).children(recursive=True)
        names = [(child, " ".join(child.cmdline())) for child in children]
        # PostgreSQL: the process of a connection
        victims = [child for child, name in names if part != POSTGRES or postgres.RUNTIME in name]
        victims[-1].kill()

    def kill(self, part: str) -> None:
        """Kill all processes of the part. PostgreSQL gets SIGQUIT, because it would not release its shared memory."""
        number = signal.SIGQUIT if part == POSTGRES else signal.SIGKILL
        processes.stop(self._process(part), signal_number=number, timeout=30)

    def pause(self, part: str) -> None:
        for process in self._all_processes(part):
            process.suspend()

    def slow(self, part: str) -> None:
        """Let the part run for a tenth of the time only."""
        self._slowing.clear()
        targets = self._all_processes(part)

        def pause_repeatedly() -> None:
            while not self._slowing.wait(RUNNING_SECONDS):
                for process in targets:
                    with contextlib.suppress(psutil.NoSuchProcess):
                        process.suspend()
                self._slowing.wait(PAUSED_SECONDS)
                for process in targets:
                    with contextlib.suppress(psutil.NoSuchProcess):
                        process.resume()

        self._slow_thread = threading.Thread(target=pause_repeatedly)
        self._slow_thread.start()

    def fill_disk(self) -> None:
        """Fill the file system of PostgreSQL."""
        with (
            (self.servers.postgres.home / "filling").open("wb", buffering=0) as file,
            contextlib.suppress(OSError),
        ):
            while True:
                file.write(bytes(2**16))

    def use_all_connections(self) -> None:
        """Open connections until PostgreSQL refuses one, and keep them open."""
        url = self.servers.postgres.url(postgres.RUNTIME)
        with contextlib.suppress(psycopg.OperationalError):
            while True:
                self.connections.enter_context(psycopg.connect(url, autocommit=True))

    # Ends of faults.

    def start_again(self, part: str) -> None:
        if part == PGBOUNCER:
            self.bouncer.start()
        elif part in {POSTGRES, VALKEY}:
            number = (POSTGRES, VALKEY).index(part)
            server = (self.servers.postgres, self.servers.valkey)[number]
            server.prepare()
            self.servers.children[number] = server.start(self.servers.log)
            server.wait_until_ready(self.servers.children[number])
        else:
            self._start(part)

    def resume(self, part: str) -> None:
        for process in self._all_processes(part):
            process.resume()

    def stop_slowing(self) -> None:
        self._slowing.set()
        if self._slow_thread:
            self._slow_thread.join()

    def empty_disk(self) -> None:
        """Free the space again. Start PostgreSQL again if it has ended, as systemd and Kubernetes do."""
        (self.servers.postgres.home / "filling").unlink()
        if processes.has_ended(self._process(POSTGRES)):
            self.start_again(POSTGRES)

    def close_connections(self) -> None:
        self.connections.close()
