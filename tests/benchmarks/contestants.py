"""Processes for the implementations that a benchmark compares.

The benchmarks compare hotelagent with other projects, such as django-tenants. In the code, a "peer" is one of these
other projects, and a "side" is hotelagent or a peer. The functions of a side are in a module `side_*.py` and run in a
separate process, because a process can configure Django only once.
"""

from __future__ import annotations

import importlib
import multiprocessing
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from multiprocessing.connection import Connection
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from hotelagent.embedded.servers import postgres
from tests.servers import Servers

#: Number of host names whose hotel is looked up in one round.
HOSTS = 2_000


class Contestant:
    """A process with one of the compared implementations.

    `side` is the name of the module with the functions to measure, such as "side_ours".
    """

    def __init__(self, side: str, environment: dict[str, str]) -> None:
        self.pipe, child_pipe = multiprocessing.Pipe()
        context = multiprocessing.get_context("spawn")
        # Not a daemon process, because django-tenants' multiprocessing executor starts processes.
        self.process = context.Process(target=_serve, args=(child_pipe, side, environment), daemon=False)
        self.process.start()

    def __call__(self, name: str, *arguments: Any) -> float:
        """Call the function `name` in the process, and return the result of the function.

        If the function returns None, return the duration of the call in seconds.
        """
        self.pipe.send((name, arguments))
        seconds, error = self.pipe.recv()
        if error:
            raise RuntimeError(f"{name}: {error}")
        return float(seconds)

    def end(self) -> None:
        self.pipe.send(None)
        self.process.join(30)


def _serve(pipe: Connection, side: str, environment: dict[str, str]) -> None:
    os.environ.update(environment)
    django: Any = importlib.import_module("django")
    django.setup()
    functions = importlib.import_module(f"tests.benchmarks.{side}")
    while (call := pipe.recv()) is not None:
        name, arguments = call
        started = time.perf_counter()
        try:
            result = getattr(functions, name)(*arguments)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - sent to the caller
            pipe.send((0.0, f"{type(error).__name__}: {error}"))
        else:
            pipe.send((time.perf_counter() - started if result is None else result, ""))


@contextmanager
def both(
    running: Servers,
    *,
    ours: str = "side_ours",
    peer: str = "side_peer",
    peer_settings: str = "tests.benchmarks.peer.settings",
    environment: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[tuple[Contestant, Contestant]]:
    """Start a process for hotelagent and a process for the project that hotelagent is compared with.

    `ours` and `peer` are the names of the modules with the functions of the two projects. Each project has a separate
    database, which has the tables of the project, but no hotels.
    """
    our_side = Contestant(
        ours,
        {
            **running.environment("bench_ours", 9),
            "DJANGO_SETTINGS_MODULE": "hotelagent.settings.development",
            **environment,
        },
    )
    peer_side = Contestant(
        peer,
        {**running.environment("bench_peer", 10), "DJANGO_SETTINGS_MODULE": peer_settings, **environment},
    )
    try:
        for name in ("bench_ours", "bench_peer"):
            create_database(running, name)
        our_side("prepare")
        peer_side("prepare")
        yield our_side, peer_side
    finally:
        for contestant in (our_side, peer_side):
            contestant.end()


def create_database(running: Servers, name: str) -> None:
    superuser = running.postgres.url(postgres.SUPERUSER)
    with psycopg.connect(superuser, autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} OWNER {}").format(
                sql.Identifier(name), sql.Identifier(postgres.OWNER)
            )
        )
    url = urlunsplit(urlsplit(superuser)._replace(path=f"/{name}"))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.SQL("ALTER SCHEMA public OWNER TO {}").format(sql.Identifier(postgres.OWNER)))


def add_field(number: int) -> None:
    """Define a new migration in this process, so that a benchmark can measure how long applying it takes.

    The migration belongs to the app `locks` and adds a field to the model Room.
    """
    from django.db import migrations, models  # noqa: PLC0415 - needs Django to be set up
    from django.db.migrations.loader import MigrationLoader  # noqa: PLC0415
    from django.db.migrations.migration import Migration  # noqa: PLC0415

    original_load_disk = MigrationLoader.load_disk
    field = models.CharField(max_length=20, default="", db_default="")

    def load_disk(self: Any) -> None:
        original_load_disk(self)
        last = max(name for app, name in self.disk_migrations if app == "locks")
        name = f"9{number:03d}_added"
        attributes = {
            "dependencies": [("locks", last)],
            "operations": [migrations.AddField("room", f"added_{number}", field)],
        }
        self.disk_migrations["locks", name] = type("Migration", (Migration,), attributes)(name, "locks")

    loader_class: Any = MigrationLoader
    loader_class.load_disk = load_disk
