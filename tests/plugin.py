"""The pytest plugin that starts the test servers. Pytest loads it with `-p tests.plugin` before the Django settings."""

import gc
import os
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from manage import store_compiled_modules
from tests.servers import Servers

SERVERS = pytest.StashKey[Servers]()
#: The name of the test database if pytest-xdist is not used.
MAIN_DATABASE = "test_main"
TESTS = Path(__file__).parent
#: Server options that make logins faster. The options weaken the password hashes, which protect no data in tests.
FAST_LOGIN_OPTIONS = ("scram_iterations=1",)
#: First major version of PostgreSQL with these options.
FAST_LOGIN_VERSION = 16
#: The test files that take the longest time, the slowest first.
SLOWEST = (
    "embedded/test_serve.py",
    "e2e/test_day_at_a_hotel.py",
    "dlq/capture/test_lost_tasks.py",
    "chaos/test_reminders.py",
    "reminders/test_import_interrupted.py",
    "tenants/test_migrate.py",
    "reminders/file_imports/test_in_browser.py",
    "interfaces/test_production_settings.py",
    "chaos/test_messages.py",
    "tenants/test_create_hotel.py",
    "deploy/test_ten_lines.py",
    "tenants/test_deletion.py",
    "locks/test_board_in_browser.py",
    "tenants/test_roles.py",
    "tenants/test_restore_hotel.py",
    "reminders/providers/test_events.py",
    "audit/publishing/test_emails.py",
    "embedded/test_postgres.py",
    "audit/retention/test_verification.py",
    "tenants/test_host_routing.py",
    "audit/retention/test_deletion.py",
    "dlq/external/test_example_client.py",
    "dlq/redrives/test_redrives_in_browser.py",
    "isolation/test_isolation.py",
    "tenants/test_migrate_killed.py",
    "architecture/test_references.py",
    "tenants/test_restore_activation.py",
    "tenants/test_owner_without_createrole.py",
    "interfaces/test_shared_redis.py",
    "tenants/test_restore_damaged.py",
    "openapi/test_schemathesis.py",
    "reminders/sending/test_correction_in_browser.py",
    "locks/test_expiry_races.py",
)


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None, Any, Any]:
    """Start the test servers in the main process, before pytest-django reads the Django settings."""
    gc.disable()  # loading creates hardly any garbage, so garbage collections would only take time
    store_compiled_modules()  # The processes that tests start use these modules too.
    if "PYTEST_XDIST_WORKER" not in os.environ:
        servers = Servers(in_memory=True)
        early_config.stash[SERVERS] = servers
        early_config.add_cleanup(servers.stop)
        if int(servers.postgres.version.partition(".")[0]) >= FAST_LOGIN_VERSION:
            servers.postgres.options += FAST_LOGIN_OPTIONS
        servers.start()
        os.environ.update(servers.environment(MAIN_DATABASE, 1))
        if not early_config.known_args_namespace.collectonly:
            servers.start_template()  # the template is created in a process while the tests are collected
    return (yield)


def pytest_report_header(config: pytest.Config) -> list[str]:
    servers = config.stash.get(SERVERS, None)
    if not servers:
        return []
    return [
        f"PostgreSQL: {servers.postgres.version}, {servers.postgres.binaries}",
        f"bookings: {os.environ.get('BOOKINGS_FILE') or 'generated (BOOKINGS_FILE is not set)'}",
    ]


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> None:
    """Wait until the template database is complete, before the first test or before pytest-xdist distributes the tests.

    The template database is created while this process or the pytest workers collect the tests.
    """
    servers = session.config.stash.get(SERVERS, None)
    if servers and servers.template and (problem := servers.wait_for_template()):
        pytest.exit(f"The template database could not be created:\n{problem}", returncode=1)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Move the slowest test files to the beginning, so that the workers finish at about the same time."""
    positions = {TESTS / name: number for number, name in enumerate(SLOWEST)}
    items.sort(key=lambda item: positions.get(item.path, len(positions)))


def pytest_collection_finish() -> None:
    """Exclude all existing objects from garbage collection, because they are needed until the end of the test run."""
    gc.freeze()
    gc.enable()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes(config: pytest.Config, specs: list[Any]) -> None:
    servers = config.stash[SERVERS]
    for number, spec in enumerate(specs):
        spec.env.update(servers.environment(f"test_worker_{number}", number + 2))
