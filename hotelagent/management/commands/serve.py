import contextlib
import fcntl
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
from django.core.management.base import BaseCommand, CommandError
from django.db import connections
from rich.console import Console
from rich.table import Table

from hotelagent.demo import hotels
from hotelagent.embedded import paths, ports, processes, programs
from hotelagent.embedded.errors import InUseError
from hotelagent.embedded.servers import Lease, environment, servers
from hotelagent.embedded.supervisor import Supervisor
from hotelagent.settings.development import MAIL_PORT

ROSTER = paths.RUN / "programs.json"
READY_WITHIN = 60.0  # seconds
GLANCE = 0.2  # seconds between two looks at the programs


class Command(BaseCommand):
    help = (
        "Runs everything of this checkout in one terminal: web, worker, beat and a mail catcher, with the "
        "embedded PostgreSQL and Valkey unless DATABASE_URL and REDIS_URL name others. The first time it "
        "makes two demonstration hotels. Ctrl-C stops it all. PORT and MAIL_PORT choose other ports. It "
        "listens on this machine only; deploy/ has what a deployment runs."
    )
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEBUG:
            raise CommandError("serve is for development; deploy/ has what a deployment runs.", returncode=2)
        with contextlib.ExitStack() as stack:
            stack.enter_context(only_one(settings.PORT))
            processes.stop_orphans(ROSTER)
            ports.demand(settings.PORT, purpose="the site", variable="PORT")
            ports.demand(MAIL_PORT, purpose="the caught mail", variable="MAIL_PORT")
            lease = stack.enter_context(servers()) if uses_embedded_servers() else None
            self.say("Migrating the database")
            call_command("migrate", verbosity=0)
            logins = hotels.set_up(self.say)
            connections.close_all()
            self.say("Starting web, worker, beat and the mail catcher")
            self.supervise(lease, logins)

    def say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()

    def supervise(self, lease: Lease | None, logins: dict[str, dict[str, str]]) -> None:
        stopped = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: stopped.set())
        smtp_port = ports.remember(paths.RUN / "smtp.port")
        supervisor = Supervisor(
            programs.programs(
                port=settings.PORT,
                mail_port=MAIL_PORT,
                smtp_port=smtp_port,
                mail_folder=paths.private_folder(paths.MAIL),
                run=paths.RUN,
            ),
            roster=ROSTER,
        )
        try:
            # What somebody waits for comes first; beat, for which nobody does, when that is up.
            supervisor.start("mail", "web", "worker")
            self.wait_until_ready(supervisor, stopped)
            supervisor.start()
            if not stopped.is_set():
                print_table(logins)
            while not stopped.wait(GLANCE):
                supervisor.look()
                if lease and lease.ensure():
                    supervisor.say("servers", "died and are started again", "31")
        finally:
            supervisor.say("serve", "stopping")
            supervisor.stop()

    def wait_until_ready(self, supervisor: Supervisor, stopped: threading.Event) -> None:
        deadline = time.monotonic() + READY_WITHIN
        while not answers(settings.PORT):
            if time.monotonic() > deadline:
                raise CommandError("The site does not answer; the lines above say why.")
            if stopped.wait(GLANCE):
                return
            supervisor.look()


@contextlib.contextmanager
def only_one(port: int) -> Iterator[None]:
    """Hold this checkout; raises InUseError where another `serve` has it."""
    with (paths.private_folder(paths.RUN) / "serve.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            pid, _, where = lock.read().partition(" ")
            raise InUseError(
                f"This checkout is running already: {where.strip()}. Stop it with Ctrl-C in its terminal, "
                f"or `kill {pid}`."
            ) from None
        lock.truncate(0)
        lock.write(f"{os.getpid()} http://localhost:{port}\n")
        lock.flush()
        yield


def uses_embedded_servers() -> bool:
    return bool(set(environment(environ={}).values()) & {settings.DATABASE_URL, settings.REDIS_URL})


def answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://{ports.LOOPBACK}:{port}/health/live", timeout=5):
            return True
    except (urllib.error.URLError, OSError):
        return False


def print_table(logins: dict[str, dict[str, str]]) -> None:
    shown = Table(title="hotelagent is running. Ctrl-C stops it.", title_justify="left")
    for heading in ("Where", "What for", "Login", "Password"):
        shown.add_column(heading, no_wrap=True)
    for place, staff in logins.items():
        host = f"{place}.{settings.PLATFORM_HOST}" if place else settings.PLATFORM_HOST
        purpose = f"{hotels.HOTELS[place]}: its admin" if place else "The platform: all hotels"
        shown.add_row(
            f"http://{host}:{settings.PORT}/admin/", purpose, "\n".join(staff), "\n".join(staff.values())
        )
        if place:
            shown.add_row(f"http://{host}:{settings.PORT}/api/docs/", "Its REST API")
    shown.add_row(f"http://localhost:{MAIL_PORT}/", "The mail that was sent")
    # Wide enough for every address: one that is cut short cannot be clicked.
    Console(width=Console(width=1000).measure(shown).maximum).print(shown)
