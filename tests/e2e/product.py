"""The web server, a worker, beat and the mail server of `manage.py serve`, on the servers of the tests."""

import contextlib
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hotelagent.embedded import paths, ports, programs
from tests.programs import Program

START_TIMEOUT = 60.0  # seconds


@dataclass(frozen=True)
class Product:
    """The ports of the running web server and of the mail server's pages."""

    port: int
    mail_port: int

    def url(self, host: str) -> str:
        return f"http://{host}:{self.port}/admin/"

    @property
    def mail_url(self) -> str:
        """Return the URL of the page that lists the received e-mails."""
        return f"http://localhost:{self.mail_port}/"


@contextlib.contextmanager
def running_product(folder: Path, **variables: str) -> Iterator[Product]:
    """Run the processes with additional environment variables until the end of the `with` block.

    The folder receives the output of each process and the e-mails.
    """
    product = Product(ports.find_free_port(), ports.find_free_port())
    (folder / "run").mkdir()
    (folder / "mail").mkdir()
    chosen = programs.programs(
        port=product.port,
        mail_port=product.mail_port,
        smtp_port=ports.find_free_port(),
        mail_folder=folder / "mail",
        run=folder / "run",
    )
    running: list[Program] = []
    try:
        for program in chosen:
            files = folder / program.name
            files.mkdir(exist_ok=True)
            _python, *arguments = program.command
            environment = {**program.environment, "PORT": str(product.port), **variables}
            running.append(Program(*arguments, environment=environment, folder=paths.CHECKOUT, files=files))
        wait_until_responding(f"http://localhost:{product.port}/health/live", running[1])
        wait_until_responding(product.mail_url, running[0])
        yield product
    finally:
        for process in running:
            process.send_signal(signal.SIGTERM)
        for process in running:
            process.stop(timeout=10)


def wait_until_responding(url: str, process: Program) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while True:
        with contextlib.suppress(urllib.error.URLError, OSError):
            urllib.request.urlopen(url, timeout=5).close()  # noqa: S310 - our own URL
            return
        if process.has_ended() or time.monotonic() > deadline:
            raise RuntimeError(f"{url} does not respond:\n{process.errors()}")
        time.sleep(0.05)
