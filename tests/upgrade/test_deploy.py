"""Tests of deploy/bin/deploy and deploy/bin/rollback with real processes, under constant requests (`make upgrade`)."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hotelagent.embedded import paths
from tests.tenants.sql import query
from tests.upgrade.load import Load
from tests.upgrade.service_manager import PROCESSES, ServiceManager
from tests.upgrade.stack import IS_LONG, StartRelease, wait_until

BIN = paths.CHECKOUT / "deploy" / "bin"
#: For how many seconds a good version is watched after each step. A bad version must fail within the longer time.
WATCH, WATCH_FAILURE = "1", "20"

pytestmark = [
    pytest.mark.skipif(
        not IS_LONG, reason="Only `make upgrade` runs these tests, because they take minutes."
    ),
    pytest.mark.pooler,
    pytest.mark.django_db(transaction=True),
    pytest.mark.timeout(1200),
]


@pytest.fixture
def running(
    request: pytest.FixtureRequest, start_release: StartRelease, listener: socket.socket, tmp_path: Path
) -> Iterator[ServiceManager]:
    """Return a service manager that runs the release which the test names."""
    port = listener.getsockname()[1]
    with ServiceManager(start_release, current=request.param, port=port, folder=tmp_path) as manager:
        release = manager.release(manager.current)
        release.migrate()
        release.start(*PROCESSES)
        yield manager


def script(
    name: str, manager: ServiceManager, *arguments: str, watch: str = WATCH
) -> "subprocess.CompletedProcess[str]":
    """Run a script of deploy/bin with the service manager of the test."""
    state = manager.program.parent / "state" / "deploy.json"
    options = ["--services", str(manager.program), "--watch", watch, "--state", str(state)]
    return subprocess.run(
        [sys.executable, BIN / name, *options, *arguments], capture_output=True, text=True, check=False
    )


def columns(slug: str) -> set[str]:
    """Return the columns of the hotel's table of notes."""
    return {
        name
        for (name,) in query(
            "SELECT column_name FROM information_schema.columns WHERE table_schema = %s AND table_name = 'notes_note'",
            f"hotel_{slug}",
        )
    }


@pytest.mark.parametrize("running", ["expand"], indirect=True)
def test_deployment_and_rollback_fail_no_request(running: ServiceManager, tmp_path: Path) -> None:
    backup = tmp_path / "alpha.hotel"
    arguments = ("--canary", "alpha", "--backup", f"backup_hotel alpha --to {backup} --force", "backfill")
    with Load(running.port) as load:
        load.wait_for_responses(20, release="expand")
        done = script("deploy", running, *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        assert running.current == "backfill"
        again = script("deploy", running, *arguments)
        assert again.returncode == 0, again.stdout + again.stderr
        assert "backfill runs already." in again.stdout
        returned = script("rollback", running)
        assert returned.returncode == 0, returned.stdout + returned.stderr
        load.wait_for_responses(20, release="expand")
    assert running.current == "expand"
    assert load.failures == []
    assert load.releases.keys() == {"expand", "backfill"}
    assert backup.is_file()
    verbs = [" ".join(call) for call in running.calls if call[0] in {"manage", "switch"}]
    assert verbs[:6] == [
        "manage backfill check --deploy --database default",
        "manage expand doctor",
        f"manage expand backup_hotel alpha --to {backup} --force",
        "manage backfill migrate --hotel alpha",
        "manage backfill migrate",
        "switch backfill",
    ]
    print(f"\n{sum(load.releases.values())} responses, 0 failed, slowest {load.slowest:.1f} s")


@pytest.mark.parametrize("running", ["expand"], indirect=True)
def test_version_that_fails_requests_is_rolled_back(running: ServiceManager) -> None:
    with Load(running.port) as load:
        load.wait_for_responses(20, release="expand")
        done = script(
            "deploy", running, "--skip", "backup", "--skip", "doctor", "broken", watch=WATCH_FAILURE
        )
        failed = len(load.failures)
        load.wait_for_responses(20, release="expand")
    assert done.returncode == 1
    assert "broken failed, and expand runs again." in done.stderr
    assert running.current == "expand"
    # The requests that the broken version received failed. None was refused or cut, and none fails afterwards.
    assert 0 < failed == len(load.failures)
    assert all(": 500 " in failure for failure in load.failures), load.failures


@pytest.mark.parametrize("running", ["first"], indirect=True)
def test_migration_that_breaks_the_running_version_stops_after_the_canary(running: ServiceManager) -> None:
    with Load(running.port) as load:
        load.wait_for_responses(20, release="first")
        done = script(
            *("deploy", running, "--skip", "backup", "--skip", "doctor", "--canary", "alpha", "naive"),
            watch=WATCH_FAILURE,
        )
        wait_until(lambda: load.failures, what="a request has failed")
    assert done.returncode == 1
    assert "requests failed with a server error" in done.stderr
    assert running.current == "first"
    assert "body" in columns("alpha")
    assert "body" not in columns("beta")
