"""Tests of holds on a PostgreSQL server with default settings, where just-in-time compilation (`jit`) is on."""

import datetime
import os
import shutil
import signal
import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import connection, connections

from hotelagent.embedded import paths, processes
from hotelagent.embedded.servers import postgres
from locks import selectors, services
from locks.nights import Nights
from tenants.context import hotel_context, platform_context
from tenants.database.backend.base import DatabaseWrapper
from tenants.database.connections import database_settings
from tenants.models import Hotel
from tests import folders, servers
from tests.programs import run_python

CALLS = 9
LIMIT = 0.05  # seconds; each step took 120 to 190 ms with JIT compilation and 0.4 to 4 ms without it


@pytest.fixture
def stock_server(tmp_path: Path) -> Iterator[servers.StockPostgres]:
    """Start a PostgreSQL server with default settings. The programs are those of Debian's PostgreSQL packages."""
    programs = servers.debian_postgres()
    if programs is None:
        servers.skip_or_fail_in_ci("Debian's PostgreSQL (apt-get install postgresql)")
    home = Path(paths.private_folder(folders.FOLDER / f"stock-{os.getpid()}"))
    server = servers.StockPostgres(home, binaries=programs)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, home, ignore_errors=True)
        server.prepare()
        log = stack.enter_context((tmp_path / "log").open("wb"))
        process = server.start(log)
        stack.callback(processes.stop, process, signal_number=signal.SIGQUIT, timeout=10)
        server.wait_until_ready(process)
        yield server


@pytest.fixture
def stock_hotel(stock_server: servers.StockPostgres, django_db_blocker: Any) -> Iterator[Hotel]:
    """Yield a hotel in a newly migrated database on the server with default settings.

    The test connects to that database with the runtime login role.
    """
    with psycopg.connect(stock_server.url(postgres.SUPERUSER)) as superuser:
        row = superuser.execute("SELECT pg_jit_available()").fetchone()
    if row != (True,):
        servers.skip_or_fail_in_ci("a PostgreSQL with JIT compilation on by default")
    runtime_url = stock_server.url(postgres.RUNTIME)
    urls = {"DATABASE_URL": runtime_url, "DATABASE_DIRECT_URL": stock_server.url(postgres.OWNER)}
    migrated = run_python("-m", "tests.template", environment={**os.environ, **urls})
    assert migrated.returncode == 0, migrated.stderr
    given = connections.configure_settings({"default": database_settings(runtime_url, direct=False)})
    wrapper, suite = DatabaseWrapper(given["default"], "default"), connections["default"]
    with django_db_blocker.unblock():
        connections["default"] = wrapper
        try:
            with platform_context():
                hotel = Hotel.objects.get(slug="alpha")
            with hotel_context(hotel):
                yield hotel
        finally:
            wrapper.close()
            connections["default"] = suite


def test_connection_to_a_default_postgres_turns_jit_off_and_acquires_holds_quickly(
    stock_hotel: Hotel,
) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SHOW jit")
        jit = cursor.fetchone()
    services.ensure_rooms({"double": 1})
    rooms = services.ensure_rooms({})["double"]
    acquiring, releasing = [], []
    for number in range(1, CALLS + 1):
        check_in = selectors.today() + datetime.timedelta(days=number)
        nights = Nights(check_in, check_in + datetime.timedelta(days=1))
        begun = time.perf_counter()
        hold = services.acquire_hold(rooms=rooms, nights=nights)
        acquired = time.perf_counter()
        services.release_hold(hold.id, token=hold.token)
        acquiring.append(acquired - begun)
        releasing.append(time.perf_counter() - acquired)
    medians = {"acquire": statistics.median(acquiring), "release": statistics.median(releasing)}
    slow = {step: seconds for step, seconds in medians.items() if seconds > LIMIT}
    assert (slow, jit) == ({}, ("off",))
