"""The chaos test of reminders: its deployment, in which the mail server fails, and the results of the test."""

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import psycopg
import redis

from hotelagent.embedded.servers import postgres
from tests.chaos.deployment import Deployment
from tests.chaos.mail_server import ChaosMailServer

#: The Celery workers: their pools, and the number of messages that each sends at the same time.
POOLS = (("prefork", 2), ("threads", 2))
PREFORK, THREADS = range(2)


@dataclass(frozen=True)
class Result:
    """The outcome of a chaos test, read from the database. Reminders are identified by their Message-IDs."""

    by_status: dict[str, set[str]]
    queued: int
    sent_events: Counter[str]


class ReminderDeployment(Deployment):
    """A deployment that sends its e-mails to a `ChaosMailServer`."""

    def __init__(self, mail_server: ChaosMailServer) -> None:
        super().__init__(pools=POOLS, EMAIL_URL=f"smtp://127.0.0.1:{mail_server.port}")
        self.mail_server = mail_server

    # Incidents.

    def flush_valkey(self) -> None:
        """Delete all data in Valkey, the message broker, including queued tasks."""
        with redis.Redis.from_url(self.servers.valkey.url()) as client:
            client.flushall()

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
                raise AssertionError(
                    f"No message for {timeout} s, after {last} messages.\n{self.starter.log_tail()}"
                )
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
def deployment(mail_server: ChaosMailServer, *, hotels: int, reminders: int) -> Iterator[ReminderDeployment]:
    """Start a deployment with hotels and due reminders, and yield it. No worker and no beat is running yet."""
    with ReminderDeployment(mail_server) as running:
        running.run_function("create_hotels", hotels, reminders)
        yield running
