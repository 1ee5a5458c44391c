"""Helpers that run gunicorn with the production configuration for a test."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from hotelagent.embedded import paths, ports, processes
from tests.servers import wait_until_listening


@contextlib.contextmanager
def running_gunicorn(folder: Path) -> Iterator[int]:
    """Run gunicorn until the end of the `with` block, and yield the port that it listens on.

    The output is written to the file `log` in the folder.
    """
    port = ports.find_free_port()
    configuration = ("-c", "deploy/gunicorn.conf.py", "--bind", f"{ports.LOOPBACK}:{port}")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", *configuration, "hotelagent.wsgi"],
            cwd=paths.CHECKOUT, env=dict(os.environ), stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        wait_until_listening(process, port, folder / "log", timeout=60)
        yield port
    finally:
        processes.stop(process, signal_number=signal.SIGTERM, timeout=10)
