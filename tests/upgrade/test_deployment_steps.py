"""Tests of deploy/bin/deploy and deploy/bin/rollback with a service manager that runs no processes.

The service manager is a shell script: it stores the version in a file, and all requests of the version `bad` fail.
`test_deploy.py` has the same steps with real processes.
"""

import subprocess
from pathlib import Path

import pytest

from hotelagent.embedded import paths
from tests.upgrade.stack import wait_until

BIN = paths.CHECKOUT / "deploy" / "bin"
SERVICES = """#!/bin/sh
cd "$(dirname "$0")"
case "$1" in
current) cat version ;;
switch) echo "$2" >version ;;
manage) echo "$*" >>calls; [ "$3" != "$(cat failing)" ] ;;
fetch)
    version=$(cat version) count=$(($(cat count) + 10)) status=200
    [ "$version" != bad ] || status=500
    echo "$count" >count
    printf 'hotelagent_version_info{version="%s"} 1\n' "$version"
    printf 'hotelagent_request_seconds_count{status="%s",view="a"} %s\n' "$status" "$count"
    ;;
esac
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with the program of a service manager that runs the version v1."""
    for name, text in {
        "services": SERVICES,
        "version": "v1",
        "failing": "none",
        "count": "0",
        "calls": "",
    }.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "services").chmod(0o700)
    return tmp_path


def run(name: str, folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    options = [
        "--services",
        str(folder / "services"),
        "--state",
        str(folder / "deploy.json"),
        "--watch",
        "0",
    ]
    return subprocess.run([BIN / name, *options, *arguments], capture_output=True, text=True, check=False)


def version_in(folder: Path) -> str:
    return (folder / "version").read_text().strip()


def test_good_version_runs_until_a_person_rolls_it_back(folder: Path) -> None:
    deployed = run("deploy", folder, "--backup", "backup_all", "v2")
    assert (deployed.returncode, version_in(folder)) == (0, "v2"), deployed.stderr
    assert "0 of 20 requests failed with a server error" in deployed.stdout
    returned = run("rollback", folder)
    assert (returned.returncode, version_in(folder)) == (0, "v1"), returned.stderr


def test_version_whose_requests_fail_is_rolled_back(folder: Path) -> None:
    done = run("deploy", folder, "--skip", "backup", "bad")
    assert (done.returncode, version_in(folder)) == (1, "v1")
    assert "bad failed, and v1 runs again. 20 of 20 requests failed with a server error" in done.stderr


@pytest.mark.parametrize("command", ["check", "doctor", "backup_all", "migrate"])
def test_failed_step_stops_the_deployment_before_the_switch(folder: Path, command: str) -> None:
    (folder / "failing").write_text(command)
    done = run("deploy", folder, "--backup", "backup_all", "v2")
    assert (done.returncode, version_in(folder)) == (1, "v1")
    assert f" {command}" in done.stderr
    assert (folder / "calls").read_text().splitlines()[-1].split()[2] == command


def test_rollback_without_an_earlier_deployment_asks_for_the_version(folder: Path) -> None:
    done = run("rollback", folder)
    assert done.returncode == 1
    assert "Name the version to run." in done.stderr


def test_dry_run_prints_each_step_and_changes_nothing(tmp_path: Path) -> None:
    program = tmp_path / "services"
    program.write_text('#!/bin/sh\n[ "$1" = current ] && echo v1 && exit\necho "$@" >>"$0.log"\n')
    program.chmod(0o700)
    state = tmp_path / "state" / "deploy.json"
    options = f"--services {program} --state {state} --dry-run --canary sol --backup backup_all v2".split()
    done = subprocess.run([BIN / "deploy", *options], capture_output=True, text=True, check=True)
    lines = [line.strip() for line in done.stdout.splitlines()]
    assert [line.removeprefix(f"{program} ") for line in lines if line.startswith(str(program))] == [
        "manage v2 check --deploy --database default",
        "manage v1 doctor",
        "manage v1 backup_all",
        "manage v2 migrate --hotel sol",
        "manage v2 migrate",
        "switch v2",
    ]
    assert not state.parent.exists()
    assert not Path(f"{program}.log").exists()


def test_second_deployment_at_the_same_time_is_refused(tmp_path: Path) -> None:
    program = tmp_path / "services"
    program.write_text(
        f"#!/bin/sh\ntouch {tmp_path}/started\nwhile [ ! -e {tmp_path}/end ]; do sleep 0.05; done\necho v1\n"
    )
    program.chmod(0o700)
    options = f"--services {program} --state {tmp_path}/deploy.json v1".split()
    first = subprocess.Popen([BIN / "rollback", *options])
    try:
        wait_until((tmp_path / "started").exists, what="the first deployment has started")
        second = subprocess.run([BIN / "rollback", *options], capture_output=True, text=True, check=False)
    finally:
        (tmp_path / "end").touch()
    assert second.returncode == 1
    assert "Another deployment runs." in second.stderr
    assert first.wait(timeout=60) == 0
