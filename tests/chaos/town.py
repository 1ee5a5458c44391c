"""Everything that a deployment consists of, each part a process that can be killed and comes back."""

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
from tests.chaos.mails import Mails
from tests.chaos.program import BEAT_LEASE, BEAT_RENEWS
from tests.servers import PgBouncer, Servers

#: A crash of the server loses nothing that it has committed; a crash of the machine is not tried.
COMMITTED = ("fsync=off", "full_page_writes=off")
POOLS = ("prefork", "threads")
SLOTS = 2  # mails that a worker sends at a time


@dataclass(frozen=True)
class Found:
    """What the database says in the end: Message-IDs by status, and what it has of them in other places."""

    by_status: dict[str, set[str]]
    queued: int
    told: Counter[str]  # reminder.sent in the trails, by Message-ID


class Town:
    """`with Town(mails) as town`: servers, a pooler, two workers and two beats after `open()`."""

    def __init__(self, mails: Mails) -> None:
        self.mails = mails
        self.servers = Servers()
        self.servers.postgres.options = COMMITTED
        self.stack = contextlib.ExitStack()
        self.workers: dict[str, int] = {}
        self.beats: list[int] = []
        #: Mails that were in the hands of somebody who was killed, at most.
        self.torn = 0
        self.done: Counter[str] = Counter()

    def __enter__(self) -> Self:
        self.stack.callback(self.servers.stop)
        with contextlib.ExitStack() as undo:
            undo.push(self.stack.__exit__)
            self.servers.start()
            environment = self.servers.environment(postgres.DATABASE, 0)
            bouncer = self.stack.enter_context(PgBouncer(environment["DATABASE_URL"], pool_size=8))
            self.log = (self.servers.folder / "town.log").open("w+b")
            self.stack.callback(self.log.close)
            self.program = subprocess.Popen(
                [sys.executable, "-m", "tests.chaos.program"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, cwd=paths.CHECKOUT,
                env={**os.environ, **environment, "DATABASE_URL": bouncer.url,
                     "EMAIL_URL": f"smtp://127.0.0.1:{self.mails.port}", "LOG_LEVEL": "WARNING"},
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

    def _ask(self, *command: object) -> int:
        if not (self.program.stdin and self.program.stdout):
            raise RuntimeError("The program has no pipes.")
        self.program.stdin.write(json.dumps(command).encode() + b"\n")
        self.program.stdin.flush()
        answer = self.program.stdout.readline()
        if not answer:
            raise RuntimeError(f"The program under test ended:\n{self.said()}")
        return int(answer)

    def said(self) -> str:
        """The end of what the processes under test have logged."""
        self.log.seek(0)
        return self.log.read().decode(errors="replace")[-6000:]

    def fill(self, *, hotels: int, reminders: int) -> None:
        if self._ask("fill", hotels, reminders):
            raise RuntimeError(f"The hotels could not be made:\n{self.said()}")

    def open(self) -> None:
        for pool in POOLS:
            self.workers[pool] = self._ask("worker", pool)
        self.beats = [self.start_beat(), self.start_beat()]

    def start_beat(self, *, lease: int = BEAT_LEASE, renews: float = BEAT_RENEWS) -> int:
        """Its process id; whichever is first leads."""
        return self._ask("beat", lease, renews)

    def leader(self) -> int | None:
        """The process id of the beat that holds the lease."""
        with psycopg.connect(self.servers.postgres.url(postgres.SUPERUSER), autocommit=True) as connection:
            row = connection.execute("SELECT holder FROM tenants_lease WHERE name = 'beat'").fetchone()
        return int(row[0].split(":")[1]) if row else None

    # What goes wrong. Each returns when it has happened and what was killed is there again.

    def kill_worker(self, pool: str) -> None:
        """kill -9 of a worker with all its processes; another starts."""
        self.torn += SLOTS
        os.killpg(self.workers[pool], signal.SIGKILL)
        self.workers[pool] = self._ask("worker", pool)

    def kill_one_process(self) -> None:
        """kill -9 of one process of the prefork pool; the worker stays and makes a new one."""
        with contextlib.suppress(psutil.NoSuchProcess):
            children = psutil.Process(self.workers["prefork"]).children()
            if children:
                self.torn += 1
                children[0].kill()

    def kill_beat(self) -> None:
        """kill -9 of the beat that leads, or of the one that stands by; another starts."""
        os.killpg(self.beats.pop(0), signal.SIGKILL)
        self.beats.append(self.start_beat())

    def flush_valkey(self) -> None:
        with redis.Redis.from_url(self.servers.valkey.url()) as client:
            client.flushall()

    def restart_valkey(self) -> None:
        """kill -9; it has kept nothing."""
        self._restart(1, signal.SIGKILL)

    def restart_postgres(self) -> None:
        """Immediate shutdown: no session is asked to end, the log is replayed at the start."""
        self.torn += SLOTS * len(POOLS)
        self._restart(0, signal.SIGQUIT)

    def _restart(self, number: int, how: int) -> None:
        processes.stop(self.servers.children[number], signal_number=how, timeout=30)
        server = (self.servers.postgres, self.servers.valkey)[number]
        self.servers.children[number] = server.start(self.servers.log)
        server.wait_until_ready(self.servers.children[number])

    def drop_after_data(self) -> None:
        self.mails.drop += 2

    def hang(self) -> None:
        self.mails.hang += 1

    def close_for_a_moment(self) -> None:
        self.mails.away += 2

    # What became of it.

    def found(self) -> Found:
        by_status: dict[str, set[str]] = {}
        told: Counter[str] = Counter()
        with psycopg.connect(self.servers.postgres.url(postgres.SUPERUSER), autocommit=True) as connection:
            hotels = connection.execute("SELECT id, schema FROM tenants_hotel").fetchall()
            for hotel, schema in hotels:
                rows = connection.execute(f'SELECT id, status FROM "{schema}".reminders_reminder')
                for id_, status in rows:
                    by_status.setdefault(status, set()).add(f"<{id_.hex}.{hotel.hex}@localhost>")
                told.update(
                    f"<{id_.replace('-', '')}.{hotel.hex}@localhost>"
                    for (id_,) in connection.execute(
                        f"SELECT subject_id FROM \"{schema}\".audit_event WHERE event = 'reminder.sent'"
                    )
                )
            queued = connection.execute(
                "SELECT count(*) FROM tenants_dueitem WHERE kind = 'reminder'"
            ).fetchone()
        return Found(by_status, queued[0] if queued else -1, told)

    def await_progress(self, reached: Callable[[], bool], *, within: float) -> None:
        """Return when it is so. Fails where nothing moves for `within` seconds."""
        last, deadline = -1, time.monotonic() + within
        while not reached():
            if (now := self.mails.taken.total()) != last:
                last, deadline = now, time.monotonic() + within
            if time.monotonic() > deadline:
                raise AssertionError(f"Nothing moved for {within} s, at {last} mails.\n{self.said()}")
            time.sleep(0.01)

    def is_settled(self) -> bool:
        """Whether no reminder is due or on its way any more. Asked seldom: it looks into each hotel."""
        time.sleep(0.1)
        with psycopg.connect(self.servers.postgres.url(postgres.SUPERUSER), autocommit=True) as connection:
            left = connection.execute(
                "SELECT EXISTS (SELECT FROM tenants_dueitem WHERE kind = 'reminder')"
            ).fetchone()
        return left == (False,)


@contextlib.contextmanager
def town(mails: Mails, *, hotels: int, reminders: int) -> Iterator[Town]:
    with Town(mails) as made:
        made.fill(hotels=hotels, reminders=reminders)
        yield made
