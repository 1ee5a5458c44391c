"""Loaded by `-p tests.plugin` before Django's settings are read: starts the servers, says where they are."""

import gc
import os
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from tests.servers import Servers

SERVERS = pytest.StashKey[Servers]()
ALONE = "test_main"
TESTS = Path(__file__).parent
#: Making a password slow to guess makes every test that connects slow.
QUICK_LOGINS = ("scram_iterations=1",)
QUICK_LOGINS_SINCE = 16  # the version of PostgreSQL
#: Files that take over eight seconds, the longest first.
LONGEST = (
    "chaos/test_reminders.py",
    "embedded/test_serve.py",
    "tenants/test_migrate.py",
    "tenants/test_restore_hotel.py",
    "reminders/test_import_interrupted.py",
    "reminders/test_import_again.py",
    "locks/test_board_in_browser.py",
    "isolation/test_isolation.py",
    "tenants/test_migrate_killed.py",
    "isolation/test_tls.py",
    "embedded/test_postgres.py",
    "interfaces/test_production_settings.py",
    "tenants/test_owner_without_createrole.py",
    "chaos/test_beat.py",
    "tenants/test_roles.py",
)


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None, Any, Any]:
    """Before pytest-django reads the settings; only in the process that the workers are started from."""
    gc.disable()  # until everything is loaded: none of that is ever garbage
    if "PYTEST_XDIST_WORKER" not in os.environ:
        servers = Servers(in_memory=True)
        early_config.stash[SERVERS] = servers
        early_config.add_cleanup(servers.stop)
        if int(servers.postgres.version.partition(".")[0]) >= QUICK_LOGINS_SINCE:
            servers.postgres.options += QUICK_LOGINS
        servers.start()
        os.environ.update(servers.environment(ALONE, 1))
    return (yield)


def pytest_report_header(config: pytest.Config) -> list[str]:
    servers = config.stash.get(SERVERS, None)
    if not servers:
        return []
    return [
        f"PostgreSQL: {servers.postgres.version}, {servers.postgres.binaries}",
        f"bookings: {os.environ.get('BOOKINGS_FILE') or 'generated (BOOKINGS_FILE is not set)'}",
    ]


def pytest_sessionstart(session: pytest.Session) -> None:
    servers = session.config.stash.get(SERVERS, None)
    if servers and not session.config.option.collectonly:
        problem = servers.build_template()
        if problem:
            os.environ["HOTELAGENT_TEST_PROBLEM"] = problem


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first: none of them begins when everything else is about to end."""
    place = {TESTS / name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path, len(place)))


def pytest_collection_finish() -> None:
    """What stands by now stays until the end: the collector looks at what tests make, not at all of that each time."""
    gc.freeze()
    gc.enable()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes(config: pytest.Config, specs: list[Any]) -> None:
    servers = config.stash[SERVERS]
    for number, spec in enumerate(specs):
        spec.env.update(servers.environment(f"test_worker_{number}", number + 2))
