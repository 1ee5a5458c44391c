"""Tests of deploy/bin/services-systemd and services-compose. They call programs that record their arguments.

Only the outermost programs are replaced: systemctl, journalctl, curl and docker.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from hotelagent.embedded import paths

BIN = paths.CHECKOUT / "deploy" / "bin"
#: Records its arguments, and what it reads from its standard input.
RECORDER = """#!/bin/sh
echo "{name} $*" >>{folder}/calls
[ -t 0 ] || cat >>{folder}/calls
"""
SYSTEMCTL = """#!/bin/sh
echo "systemctl $*" >>{folder}/calls
case "$2" in hotelagent-manage@*) cat {folder}/run/manage.env >>{folder}/calls; exit "$(cat {folder}/status)" ;; esac
"""
#: Keeps the list of web containers in a file.
DOCKER = """#!/bin/sh
echo "docker $*" >>{folder}/calls
case "$*" in
*"-f - "*) cat >>{folder}/calls ;;
*"ps --quiet web") cat {folder}/web ;;
*"--scale web="*) echo new >>{folder}/web; exit "$(cat {folder}/status)" ;;
"rm "*) sed -i "/^$2$/d" {folder}/web ;;
esac
"""


class Adapter:
    """A copy of one program of deploy/bin in a folder, whose paths and programs are in this folder."""

    def __init__(self, name: str, folder: Path) -> None:
        self.folder = folder
        self.program = folder / "deploy" / "bin" / name
        self.program.parent.mkdir(parents=True)
        text = (BIN / name).read_text()
        for path in ("/opt/hotelagent", "/etc/hotelagent", "/run/hotelagent"):
            text = text.replace(path, str(folder / path.split("/")[1]))
        self.program.write_text(text)
        (folder / "status").write_text("0")
        (folder / "calls").touch()

    def replace(self, program: str, text: str) -> None:
        """Use this text instead of the installed program."""
        file = self.folder / "programs" / program
        file.parent.mkdir(exist_ok=True)
        file.write_text(text.format(folder=self.folder, name=program))
        file.chmod(0o755)

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        (self.folder / "calls").write_text("")
        path = f"{self.folder / 'programs'}:{os.environ['PATH']}"
        return subprocess.run(
            ["bash", self.program, *arguments], env={"PATH": path}, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    def calls(self) -> list[str]:
        text = (self.folder / "calls").read_text()
        return text.replace(f" -f {self.folder}/deploy/compose.yml", "").splitlines()


@pytest.fixture
def systemd(tmp_path: Path) -> Adapter:
    """Return the adapter for systemd on a machine that runs the version v1 and also has v2."""
    adapter = Adapter("services-systemd", tmp_path)
    for version in ("v1", "v2"):
        (tmp_path / "opt" / version).mkdir(parents=True)
    (tmp_path / "opt" / "current").symlink_to("v1")
    (tmp_path / "etc" / "secrets").mkdir(parents=True)
    (tmp_path / "etc" / "secrets" / "METRICS_TOKEN").write_text("a-secret-token\n")
    adapter.replace("systemctl", SYSTEMCTL)
    for program in ("journalctl", "curl"):
        adapter.replace(program, RECORDER)
    return adapter


@pytest.fixture
def compose(tmp_path: Path) -> Adapter:
    """Return the adapter for compose on a machine with one web container, which runs the version v1."""
    adapter = Adapter("services-compose", tmp_path)
    (tmp_path / "deploy" / ".env").write_text("PLATFORM_HOST=hotels.example\nCODE_VERSION=v1\n")
    (tmp_path / "web").write_text("old\n")
    adapter.replace("docker", DOCKER)
    return adapter


def files(adapter: Adapter) -> str:
    """Return the options with which the adapter names the compose files and the environment file."""
    folder = adapter.folder / "deploy"
    return f"-f {folder}/compose.production.yml --env-file {folder}/.env"


def test_systemd_switches_the_link_and_the_version_and_restarts_all_services(systemd: Adapter) -> None:
    assert systemd.run("current").stdout == "v1\n"
    assert systemd.run("switch", "v2").returncode == 0
    assert systemd.calls() == [
        "systemctl restart hotelagent-worker.service hotelagent-beat.service hotelagent-web.service"
    ]
    assert systemd.run("current").stdout == "v2\n"
    assert (systemd.folder / "etc" / "release.env").read_text() == "CODE_VERSION=v2\n"


def test_systemd_refuses_a_version_that_is_not_installed(systemd: Adapter) -> None:
    done = systemd.run("switch", "v3")
    assert done.returncode == 2
    assert "v3 does not exist" in done.stderr
    assert systemd.calls() == []
    assert systemd.run("current").stdout == "v1\n"


@pytest.mark.parametrize("status", [0, 3])
def test_systemd_runs_a_command_in_its_unit_and_returns_its_status(systemd: Adapter, status: int) -> None:
    (systemd.folder / "status").write_text(str(status))
    assert systemd.run("manage", "v2", "migrate", "--hotel", "sol").returncode == status
    started, arguments, journal = systemd.calls()
    assert started == "systemctl start hotelagent-manage@v2.service"
    assert arguments == "MANAGE_ARGUMENTS=migrate --hotel sol"
    assert journal.startswith("journalctl --unit hotelagent-manage@v2.service --since @")
    assert not (systemd.folder / "run" / "manage.env").exists()


def test_systemd_passes_the_token_by_the_standard_input_of_curl(systemd: Adapter) -> None:
    assert systemd.run("fetch", "/metrics").returncode == 0
    call, header = systemd.calls()
    assert call.startswith("curl --silent --show-error --fail ")
    assert call.endswith(" http://127.0.0.1:8000/metrics")
    assert header == 'header = "Authorization: Bearer a-secret-token"'


def test_compose_starts_the_new_web_container_before_it_stops_the_old_one(compose: Adapter) -> None:
    assert compose.run("current").stdout == "v1\n"
    done = compose.run("switch", "v2")
    assert done.returncode == 0, done.stderr
    called = f"docker compose {files(compose)}"
    assert compose.calls() == [
        "docker image inspect hotelagent:v2",
        "docker tag hotelagent:v2 hotelagent:latest",
        f"{called} ps --quiet web",
        f"{called} up --detach --no-deps --no-recreate --no-build --scale web=2 --wait web",
        f"{called} exec -T nginx nginx -s reload",
        "docker stop --time 40 old",
        "docker rm old",
        f"{called} exec -T nginx nginx -s reload",
        f"{called} up --detach --no-deps --no-build worker worker-metrics beat",
    ]
    assert (compose.folder / "web").read_text() == "new\n"
    assert compose.run("current").stdout == "v2\n"


def test_compose_keeps_the_old_web_container_if_the_new_one_does_not_become_healthy(compose: Adapter) -> None:
    (compose.folder / "status").write_text("1")
    assert compose.run("switch", "v2").returncode == 1
    assert (compose.folder / "web").read_text() == "old\n"
    assert not any("nginx" in call for call in compose.calls())


def test_compose_runs_a_command_with_the_image_of_the_version(compose: Adapter) -> None:
    assert compose.run("manage", "v2", "migrate", "--hotel", "sol").returncode == 0
    assert compose.calls() == [
        f"docker compose {files(compose)} -f - run --rm --no-deps -T migrate python manage.py migrate --hotel sol",
        'services: { migrate: { image: "hotelagent:v2" } }',
    ]


def test_compose_without_a_current_version_says_what_to_set(compose: Adapter) -> None:
    (compose.folder / "deploy" / ".env").write_text("CODE_VERSION=\n")
    done = compose.run("current")
    assert done.returncode == 2
    assert "Set CODE_VERSION" in done.stderr


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed")
@pytest.mark.parametrize("name", ["services-systemd", "services-compose"])
def test_adapters_pass_shellcheck(name: str) -> None:
    done = subprocess.run(["shellcheck", BIN / name], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
