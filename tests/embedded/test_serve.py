"""`manage.py serve` in a second checkout: what a newcomer sees, and what happens when things are killed."""

import http.client
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from hotelagent.embedded import command, ports
from tests.embedded import checkout as checkouts
from tests.embedded.checkout import Checkout, Serving, wait_until_nothing_runs

pytestmark = pytest.mark.timeout(400)

RUNNING = "hotelagent is running"
RESTARTED_WITHIN = 90.0  # seconds; here, everything else is under test at the same time


def postmaster(checkout: Checkout) -> int | None:
    """Its process id; None while it is being started again, for its file is made anew."""
    pid_file = checkout.folder / ".hotelagent/postgres/data/postmaster.pid"
    try:
        return int(pid_file.read_text().splitlines()[0])
    except (FileNotFoundError, IndexError):
        return None


def by_words(checkout: Checkout, *words: str) -> list[psutil.Process]:
    """The copy's processes with all of these words in their command line, the oldest first."""
    found = [
        process
        for process in checkout.processes()
        if all(word in " ".join(process.info["cmdline"] or []) for word in words)
    ]
    return sorted(found, key=psutil.Process.create_time)


def status(checkout: Checkout, path: str, host: str = "localhost") -> int:
    request = urllib.request.Request(
        f"http://127.0.0.1:{checkout.port}{path}", headers={"Host": f"{host}:{checkout.port}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - our own address
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code
    except (OSError, http.client.HTTPException):
        return 0


def wait_until(true: object, *, patience: float = RESTARTED_WITHIN) -> None:
    deadline = time.monotonic() + patience
    while not true():  # type: ignore[operator]
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


def test_each_host_of_the_table_answers(serving: Serving) -> None:
    said = serving.log.read_text()
    for host in ("localhost", "resort.localhost", "city.localhost"):
        assert f"http://{host}:{serving.checkout.port}/admin/" in said
        assert status(serving.checkout, "/admin/login/", host) == 200


def test_the_metrics_of_all_processes_are_one_page(serving: Serving) -> None:
    def counted() -> float:
        url = f"http://127.0.0.1:{serving.checkout.port}/metrics"
        with urllib.request.urlopen(url, timeout=30) as page:
            lines = page.read().decode().splitlines()
        return sum(
            float(line.rpartition(" ")[2])
            for line in lines
            if line.startswith("hotelagent_request_seconds_count") and 'status="404"' in line
        )

    before = counted()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: status(serving.checkout, "/", "nobody.localhost"), range(40)))
    assert answers == [404] * 40
    assert [counted() - before for _ in range(4)] == [40] * 4


def test_it_listens_on_this_machine_only(serving: Serving) -> None:
    pids = {process.pid for process in serving.checkout.processes()}
    listening = {
        connection.laddr.ip
        for connection in psutil.net_connections("inet")
        if connection.pid in pids and connection.status == psutil.CONN_LISTEN
    }
    assert listening == {"127.0.0.1"}


def test_a_command_beside_it_uses_its_servers_and_leaves_them(serving: Serving) -> None:
    before = postmaster(serving.checkout)
    done = serving.checkout.manage(
        "shell", "-c", "from django.conf import settings; print(settings.DATABASE_URL)"
    )
    assert done.returncode == 0, done.stderr
    assert "hotelagent_app" in done.stdout
    assert postmaster(serving.checkout) == before
    assert status(serving.checkout, "/health/ready") == 200


def test_a_second_one_says_that_it_is_running_already(serving: Serving) -> None:
    done = serving.checkout.manage("serve")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert f"running already: http://localhost:{serving.checkout.port}" in done.stderr


@pytest.mark.parametrize(
    "words", [("gunicorn",), ("celery", "worker"), ("celery", "beat"), ("embedded.mail",)], ids=" ".join
)
def test_a_killed_program_is_started_again(serving: Serving, words: tuple[str, ...]) -> None:
    first = by_words(serving.checkout, *words)[0]
    first.kill()
    serving.wait_for("died (SIGKILL)", patience=RESTARTED_WITHIN)
    wait_until(lambda: (now := by_words(serving.checkout, *words)) and first not in now)
    wait_until(lambda: not ports.is_free(serving.checkout.port))
    wait_until(lambda: status(serving.checkout, "/health/ready") == 200)


def test_killed_servers_are_started_again(serving: Serving) -> None:
    before = postmaster(serving.checkout)
    assert before is not None
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: postmaster(serving.checkout) not in {None, before})
    wait_until(lambda: status(serving.checkout, "/health/ready") == 200)
    by_words(serving.checkout, "embedded.keeper")[0].kill()
    serving.wait_for("servers | died", patience=RESTARTED_WITHIN)
    wait_until(lambda: status(serving.checkout, "/health/ready") == 200)


def test_nothing_runs_after_it_was_killed_and_the_next_start_goes_on(serving: Serving) -> None:
    serving.process.kill()
    serving.process.wait()
    wait_until_nothing_runs(serving.checkout)
    again = serving.checkout.serve()
    again.wait_for(RUNNING, patience=RESTARTED_WITHIN)
    assert again.stop() == 0
    wait_until_nothing_runs(serving.checkout, patience=2)


def test_a_port_in_use_is_one_line(serving: Serving) -> None:
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
        f"Port {checkout.port} (the site) is in use. Stop what listens there, or choose another: "
        f"PORT={checkout.port + 1} make run\n"
    )
    wait_until_nothing_runs(checkout)


@pytest.mark.skipif(os.geteuid() != 0, reason="root can do what an ordinary user does, not the other way")
def test_an_ordinary_user_may_run_commands() -> None:
    folder = Path("/var/tmp") / f"hotelagent-{os.getpid()}"  # noqa: S108 - where nobody may write
    checkout = checkouts.copy(folder)
    try:
        subprocess.run(["chown", "-R", "-h", "nobody", folder], check=True)
        done = checkout.manage("shell", "--no-imports", "-c", "print('ran')", as_nobody=True)
        assert (done.returncode, done.stdout) == (0, "ran\n"), done.stderr
        assert (folder / ".hotelagent/postgres/data").owner() == "nobody"
    finally:
        subprocess.run(["rm", "-rf", folder], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs a folder of somebody else")
def test_a_folder_that_is_not_writable_is_one_line() -> None:
    folder = Path("/var/tmp") / f"hotelagent-closed-{os.getpid()}"  # noqa: S108 - where nobody may look
    checkout = checkouts.copy(folder)
    try:
        done = checkout.manage("migrate", as_nobody=True)
    finally:
        subprocess.run(["rm", "-rf", folder], check=True)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "Make the checkout writable for this user" in done.stderr


@pytest.mark.parametrize("arguments", ["help", "help migrate", "migrate --help", "--version", "check", ""])
def test_what_reads_no_data_needs_no_servers(arguments: str) -> None:
    assert not command.needs_servers(["manage.py", *arguments.split()])


def test_help_starts_no_servers(tmp_path: Path) -> None:
    checkout = checkouts.copy(tmp_path / "copy")
    assert checkout.manage("help").returncode == 0
    assert not (checkout.folder / ".hotelagent" / "postgres").exists()
