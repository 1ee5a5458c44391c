"""Tests of `manage.py serve`: its output, and its behaviour when processes are killed.

The tests run `manage.py serve` in a copy of the repository, so they do not affect the servers of the developer.
"""

import http.client
import os
import signal
import socket
import stat
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from audit.transparency.notes import PrivateKey
from hotelagent.embedded import ports
from hotelagent.embedded.scripts import manage
from tests.embedded import checkout as checkouts
from tests.embedded.checkout import Checkout, Serving, wait_until_nothing_runs

pytestmark = pytest.mark.timeout(400)

RUNNING = "hotelagent is running"
#: Timeout of a restart in seconds. Restarts are slow while other tests run at the same time.
RESTART_TIMEOUT = 90.0


def postmaster_pid(checkout: Checkout) -> int | None:
    """Return the process id of PostgreSQL.

    Return None while its pid file is missing or incomplete, as during a restart.
    """
    pid_file = checkout.folder / ".hotelagent/postgres/data/postmaster.pid"
    try:
        return int(pid_file.read_text().splitlines()[0])
    except (FileNotFoundError, IndexError):
        return None


def processes_with(checkout: Checkout, *words: str) -> list[psutil.Process]:
    """Return the processes of this copy of the project whose command line contains all `words`, oldest first."""
    matching = [
        process
        for process in checkout.processes()
        if all(word in " ".join(process.info["cmdline"] or []) for word in words)
    ]
    return sorted(matching, key=psutil.Process.create_time)


def status_of(checkout: Checkout, path: str, host: str = "localhost") -> int:
    request = urllib.request.Request(
        f"http://127.0.0.1:{checkout.port}{path}", headers={"Host": f"{host}:{checkout.port}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310 - our own address
            return int(response.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code
    except (OSError, http.client.HTTPException):
        return 0


def wait_until(condition: object, *, timeout: float = RESTART_TIMEOUT) -> None:
    deadline = time.monotonic() + timeout
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    checkout = checkouts.copy(tmp_path_factory.mktemp("a" * 60) / ("b" * 60))
    serving = checkout.serve()
    try:
        serving.wait_for(RUNNING)
        yield serving
    finally:
        if serving.process.poll() is None:
            serving.stop()
        wait_until_nothing_runs(checkout)


def test_every_host_listed_in_the_output_of_serve_responds(serving: Serving) -> None:
    output = serving.log.read_text()
    for host in ("localhost", "resort.localhost", "city.localhost"):
        assert f"http://{host}:{serving.checkout.port}/admin/" in output
        assert status_of(serving.checkout, "/admin/login/", host) == 200


def test_serve_creates_a_private_key_that_signs_the_audit_trails(serving: Serving) -> None:
    key = serving.checkout.folder / ".hotelagent/audit.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert len(load_keys(key)) == 1
    # The command `audit_rotate_key` uses the same key file as `serve`.
    assert serving.checkout.manage("audit_rotate_key", str(key)).returncode == 0
    assert len(load_keys(key)) == 2


def load_keys(path: Path) -> list[PrivateKey]:
    return [PrivateKey.parse(line) for line in path.read_text().splitlines()]


def test_metrics_page_shows_the_requests_of_all_processes(serving: Serving) -> None:
    def not_found_responses() -> float:
        url = f"http://127.0.0.1:{serving.checkout.port}/metrics"
        with urllib.request.urlopen(url, timeout=30) as page:
            lines = page.read().decode().splitlines()
        return sum(
            float(line.rpartition(" ")[2])
            for line in lines
            if line.startswith("hotelagent_request_seconds_count") and 'status="404"' in line
        )

    before = not_found_responses()
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda _: status_of(serving.checkout, "/", "nobody.localhost"), range(40)))
    assert statuses == [404] * 40
    assert [not_found_responses() - before for _ in range(4)] == [40] * 4


def test_servers_listen_on_the_loopback_interface_only(serving: Serving) -> None:
    pids = {process.pid for process in serving.checkout.processes()}
    listening = {
        connection.laddr.ip
        for connection in psutil.net_connections("inet")
        if connection.pid in pids and connection.status == psutil.CONN_LISTEN
    }
    assert listening == {"127.0.0.1"}


def test_management_command_during_serve_uses_the_running_servers(serving: Serving) -> None:
    before = postmaster_pid(serving.checkout)
    done = serving.checkout.manage(
        "shell", "-c", "from django.conf import settings; print(settings.DATABASE_URL)"
    )
    assert done.returncode == 0, done.stderr
    assert "hotelagent_app" in done.stdout
    assert postmaster_pid(serving.checkout) == before
    assert status_of(serving.checkout, "/health/ready") == 200


def test_second_serve_command_exits_and_names_the_url_of_the_first(serving: Serving) -> None:
    done = serving.checkout.manage("serve")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert f"already running at http://localhost:{serving.checkout.port}" in done.stderr


@pytest.mark.parametrize(
    "words",
    [("gunicorn",), ("celery", "worker"), ("celery", "beat"), ("embedded.mail.smtp_server",)],
    ids=" ".join,
)
def test_serve_command_restarts_each_program_after_it_was_killed(
    serving: Serving, words: tuple[str, ...]
) -> None:
    first = processes_with(serving.checkout, *words)[0]
    first.kill()
    serving.wait_for("ended (SIGKILL)", timeout=RESTART_TIMEOUT)
    wait_until(lambda: (now := processes_with(serving.checkout, *words)) and first not in now)
    wait_until(lambda: not ports.is_free(serving.checkout.port))
    wait_until(lambda: status_of(serving.checkout, "/health/ready") == 200)


def test_serve_command_restarts_the_embedded_servers_after_they_are_killed(serving: Serving) -> None:
    before = postmaster_pid(serving.checkout)
    assert before is not None
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: postmaster_pid(serving.checkout) not in {None, before})
    wait_until(lambda: status_of(serving.checkout, "/health/ready") == 200)
    processes_with(serving.checkout, "servers.keeper")[0].kill()
    serving.wait_for("servers | ended", timeout=RESTART_TIMEOUT)
    wait_until(lambda: status_of(serving.checkout, "/health/ready") == 200)


def test_killed_serve_command_leaves_no_process_and_can_be_started_again(serving: Serving) -> None:
    serving.process.kill()
    serving.process.wait()
    wait_until_nothing_runs(serving.checkout)
    again = serving.checkout.serve()
    again.wait_for(RUNNING, timeout=RESTART_TIMEOUT)
    assert again.stop() == 0
    wait_until_nothing_runs(serving.checkout)


def test_serve_command_with_a_port_in_use_exits_and_suggests_another_port(serving: Serving) -> None:
    if serving.process.poll() is None:
        serving.stop()
    checkout = Checkout(serving.checkout.folder)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        checkout.port = taken.getsockname()[1]
        done = checkout.manage("serve")
    assert done.returncode == 2
    assert done.stderr == (
        f"Port {checkout.port} (web) is in use. Stop the program that listens on it, or choose another port: "
        f"PORT={checkout.port + 1} make run\n"
    )
    wait_until_nothing_runs(checkout)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can run a command as another user")
def test_database_cluster_that_an_ordinary_user_creates_belongs_to_this_user() -> None:
    folder = Path("/var/tmp") / f"hotelagent-{os.getpid()}"  # noqa: S108 - the user nobody can write there
    checkout = checkouts.copy(folder)
    try:
        subprocess.run(["chown", "-R", "-h", "nobody", folder], check=True)
        done = checkout.manage("shell", "--no-imports", "-c", "print('ran')", as_nobody=True)
        assert (done.returncode, done.stdout) == (0, "ran\n"), done.stderr
        assert (folder / ".hotelagent/postgres/data").owner() == "nobody"
    finally:
        subprocess.run(["rm", "-rf", folder], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs a folder of another user")
def test_command_in_a_read_only_checkout_fails_with_a_one_line_error() -> None:
    folder = Path("/var/tmp") / f"hotelagent-closed-{os.getpid()}"  # noqa: S108 - the user nobody can read it
    checkout = checkouts.copy(folder)
    try:
        done = checkout.manage("migrate", as_nobody=True)
    finally:
        subprocess.run(["rm", "-rf", folder], check=True)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "Make the checkout writable for this user" in done.stderr


@pytest.mark.parametrize("arguments", ["help", "help migrate", "migrate --help", "--version", "check", ""])
def test_commands_without_database_access_do_not_need_the_servers(arguments: str) -> None:
    assert not manage.needs_servers(["manage.py", *arguments.split()])


def test_help_command_does_not_start_the_embedded_servers(tmp_path: Path) -> None:
    checkout = checkouts.copy(tmp_path / "copy")
    assert checkout.manage("help").returncode == 0
    assert not (checkout.folder / ".hotelagent" / "postgres").exists()
