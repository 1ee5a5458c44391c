"""The command `serve`, which runs the whole project in one terminal, for development."""

import argparse
import contextlib
import fcntl
import io
import os
import signal
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connections
from rich.console import Console
from rich.table import Table

from audit.sealing import keys
from hotelagent.demo import hotels
from hotelagent.embedded import paths, ports, processes, programs
from hotelagent.embedded.errors import InUseError
from hotelagent.embedded.servers.access import ServerAccess, running_servers, server_environment
from hotelagent.embedded.supervisor import RED, Supervisor
from hotelagent.settings.development import MAIL_PORT

CHILDREN_FILE = paths.RUN / "programs.json"
READY_TIMEOUT = 60.0  # seconds
POLL_INTERVAL = 0.2  # seconds


class Command(BaseCommand):
    help = """Run the whole project in one terminal, for development.

It runs web, worker, beat and a mail server that keeps all e-mails and shows them in the browser. Without DATABASE_URL
and REDIS_URL it also runs the embedded PostgreSQL and Valkey. The first start creates two demonstration hotels. All
ports are open on this machine only. Press Ctrl-C to stop.

examples:
  manage.py serve
  PORT=9000 MAIL_PORT=9025 manage.py serve   use other ports than 8000 and 8025
  LOG_LEVEL=INFO manage.py serve             show the log of worker and beat as well"""
    requires_system_checks = ()

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        kwargs["formatter_class"] = argparse.RawDescriptionHelpFormatter
        return super().create_parser(prog_name, subcommand, **kwargs)

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEBUG:
            raise CommandError(
                "serve is for development (DEBUG is off). See deploy/ for how to run a deployment.",
                returncode=2,
            )
        with contextlib.ExitStack() as stack:
            stack.enter_context(only_instance(settings.PORT))
            processes.stop_orphans(CHILDREN_FILE)
            ports.require_free(settings.PORT, purpose="web", variable="PORT")
            ports.require_free(MAIL_PORT, purpose="received e-mails", variable="MAIL_PORT")
            access = stack.enter_context(running_servers()) if uses_embedded_servers() else None
            self.report("Migrating the database")
            call_command("migrate", verbosity=0)
            if keys.is_missing():
                self.report("Creating the key that signs the audit trails")
                call_command("audit_rotate_key", settings.AUDIT_SIGNING_KEY_FILE, stdout=io.StringIO())
            logins = hotels.set_up(self.report)
            connections.close_all()
            self.report("Starting web, worker, beat and the mail server")
            self.supervise(access, logins)

    def report(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()

    def supervise(self, access: ServerAccess | None, logins: dict[str, dict[str, str]]) -> None:
        """Run the web server, a Celery worker, Celery beat and the mail server until this process receives a signal."""
        stopped = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: stopped.set())
        smtp_port = ports.reserve_port(paths.RUN / "smtp.port")
        supervisor = Supervisor(
            programs.programs(
                port=settings.PORT,
                mail_port=MAIL_PORT,
                smtp_port=smtp_port,
                mail_folder=paths.private_folder(paths.MAIL),
                run=paths.RUN,
            ),
            children_file=CHILDREN_FILE,
        )
        try:
            # Start beat last, because starting beat at the same time would slow down the start of web and worker.
            supervisor.start("mail", "web", "worker")
            self.wait_until_ready(supervisor, stopped)
            supervisor.start()
            if not stopped.is_set():
                print_table(logins)
            while not stopped.wait(POLL_INTERVAL):
                supervisor.restart_ended()
                if access and access.ensure_running():
                    supervisor.print_line("servers", "ended and were restarted", RED)
        finally:
            supervisor.print_line("serve", "stopping")
            supervisor.stop()

    def wait_until_ready(self, supervisor: Supervisor, stopped: threading.Event) -> None:
        deadline = time.monotonic() + READY_TIMEOUT
        while not is_live(settings.PORT):
            if time.monotonic() > deadline:
                raise CommandError("The web server does not respond. See the lines above for the reason.")
            if stopped.wait(POLL_INTERVAL):
                return
            supervisor.restart_ended()


@contextlib.contextmanager
def only_instance(port: int) -> Iterator[None]:
    """Lock the checkout inside the `with` block. Raises InUseError if another `manage.py serve` is running there."""
    with (paths.private_folder(paths.RUN) / "serve.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            pid, _, url = lock.read().partition(" ")
            raise InUseError(
                f"This checkout is already running at {url.strip()}. Stop it with Ctrl-C in its terminal, or with "
                f"`kill {pid}`."
            ) from None
        lock.truncate(0)
        lock.write(f"{os.getpid()} http://localhost:{port}\n")
        lock.flush()
        yield


def uses_embedded_servers() -> bool:
    embedded_urls = set(server_environment(environ={}).values())
    return bool(embedded_urls & {settings.DATABASE_URL, settings.REDIS_URL})


def is_live(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://{ports.LOOPBACK}:{port}/health/live", timeout=5):
            return True
    except (urllib.error.URLError, OSError):
        return False


def print_table(logins: dict[str, dict[str, str]]) -> None:
    """Print a table of the URLs, with the user names and passwords of the demonstration accounts."""
    table = Table(title="hotelagent is running. Press Ctrl-C to stop.", title_justify="left")
    for heading in ("URL", "Purpose", "User name", "Password"):
        table.add_column(heading, no_wrap=True)
    for slug, passwords in logins.items():
        host = f"{slug}.{settings.PLATFORM_HOST}" if slug else settings.PLATFORM_HOST
        table.add_row(
            f"http://{host}:{settings.PORT}/admin/",
            f"Admin of {hotels.HOTELS[slug]}" if slug else "Admin of the platform",
            "\n".join(passwords),
            "\n".join(passwords.values()),
        )
        if slug:
            table.add_row(f"http://{host}:{settings.PORT}/api/docs/", f"REST API of {hotels.HOTELS[slug]}")
    table.add_row(f"http://localhost:{MAIL_PORT}/", "Received e-mails")
    # The table is as wide as its longest URL, because a URL that is cut off cannot be opened with a click.
    Console(width=Console(width=1000).measure(table).maximum).print(table)
