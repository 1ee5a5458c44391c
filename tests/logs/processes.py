"""The web server, a Celery worker and Celery beat as real processes that write their logs to files."""

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

from hotelagent.embedded import processes
from tests.gunicorn import running_gunicorn

CELERY = (sys.executable, "-m", "celery", "-A", "hotelagent")
PROGRAMS = {
    "worker": (*CELERY, "worker", "--concurrency=2", "--loglevel=INFO"),
    "beat": (*CELERY, "beat", "--loglevel=INFO"),
}


@contextlib.contextmanager
def running_processes(folder: Path) -> Iterator[int]:
    """Run the web server, a worker and beat until the end of the `with` block, and yield the port of the web server.

    The files `log`, `worker.log` and `beat.log` in the folder contain the output.
    """
    with contextlib.ExitStack() as stack:
        for name, program in PROGRAMS.items():
            output = stack.enter_context((folder / f"{name}.log").open("wb"))
            process = processes.start(program, output=output, environment=dict(os.environ))
            stack.callback(processes.stop, process, signal_number=signal.SIGTERM, timeout=30)
        yield stack.enter_context(running_gunicorn(folder))


def read_logs(folder: Path) -> dict[str, str]:
    return {name: (folder / name).read_text() for name in ("log", "worker.log", "beat.log")}
