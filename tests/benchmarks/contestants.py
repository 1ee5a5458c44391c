"""Ours and django-tenants, each in a process of its own, doing one thing at a time when told to.

Both stand on one server, in databases of their own, with the same tables in the same schemas.
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

HOSTS = 2_000  # resolutions in one round


class Contestant:
    """Runs the functions of `side` (a module's name here) in a process that has Django set up its own way."""

    def __init__(self, side: str, environment: dict[str, str]) -> None:
        self.pipe, theirs = multiprocessing.Pipe()
        context = multiprocessing.get_context("spawn")
        # Not a daemon: django-tenants' multiprocessing executor forks.
        self.process = context.Process(target=_serve, args=(theirs, side, environment), daemon=False)
        self.process.start()

    def __call__(self, name: str, *arguments: Any) -> float:
        """Seconds that the function took, by its own clock."""
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
    while (told := pipe.recv()) is not None:
        name, arguments = told
        began = time.perf_counter()
        try:
            seconds = getattr(functions, name)(*arguments)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - told to the one who asked
            pipe.send((0.0, f"{type(error).__name__}: {error}"))
        else:
            pipe.send((time.perf_counter() - began if seconds is None else seconds, ""))


@contextmanager
def both(
    running: Servers,
    *,
    ours: str = "side_ours",
    peer: str = "side_peer",
    peer_settings: str = "tests.benchmarks.peer.settings",
    environment: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[tuple[Contestant, Contestant]]:
    """Ours and the peer, their databases migrated, without any hotel. The names are those of their modules."""
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
    there = urlunsplit(urlsplit(superuser)._replace(path=f"/{name}"))
    with psycopg.connect(there, autocommit=True) as connection:
        connection.execute(sql.SQL("ALTER SCHEMA public OWNER TO {}").format(sql.Identifier(postgres.OWNER)))


def add_field(number: int) -> None:
    """Let every loader find one more migration of `locks`: a field on Room."""
    from django.db import migrations, models  # noqa: PLC0415 - Django is set up by now
    from django.db.migrations.loader import MigrationLoader  # noqa: PLC0415
    from django.db.migrations.migration import Migration  # noqa: PLC0415

    load = MigrationLoader.load_disk
    field = models.CharField(max_length=20, default="", db_default="")

    def load_disk(self: Any) -> None:
        load(self)
        last = max(name for app, name in self.disk_migrations if app == "locks")
        name = f"9{number:03d}_added"
        body = {
            "dependencies": [("locks", last)],
            "operations": [migrations.AddField("room", f"added_{number}", field)],
        }
        self.disk_migrations["locks", name] = type("Migration", (Migration,), body)(name, "locks")

    patched: Any = MigrationLoader
    patched.load_disk = load_disk
