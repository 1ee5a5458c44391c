"""Test of the deployment instructions in the section "Production in ten lines" of README.md.

The SQL statements, environment variables and commands are taken from the section and used with real servers.
Only the installation of packages is skipped.
"""

import base64
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest

from hotelagent.embedded import paths, ports, processes
from hotelagent.embedded.servers import postgres
from tests import folders, servers, web
from tests.certificates import Certificate
from tests.deploy.reverse_proxy import Browser, ReverseProxy
from tests.embedded import checkout as checkouts
from tests.programs import run_python
from tests.tenants.access.accounts import code_at

pytestmark = [pytest.mark.pooler, pytest.mark.timeout(300)]

HOST = "hotels.example"
#: The mail server of the test does not run, so this command always finds a problem.
DOCTOR = "python manage.py doctor"
PROGRAMS = ("python ", "gunicorn ", "celery ")
START_TIMEOUT = 60.0


def ten_lines() -> list[str]:
    section = (paths.CHECKOUT / "README.md").read_text().partition("## Production in ten lines\n")[2]
    numbered = section.partition("\n## ")[0]
    return [
        " ".join(line.split()) for line in re.findall(r"^\d+\. (.*(?:\n {3,}.*)*)", numbered, re.MULTILINE)
    ]


def code(line: str) -> list[str]:
    return re.findall(r"`([^`]+)`", line)


def commands() -> list[str]:
    return [text for line in ten_lines() for text in code(line) if text.startswith(PROGRAMS)]


def variables() -> dict[str, str]:
    """Return the environment variables that the ten lines of README.md name.

    A variable without a value in the text gets an empty string.
    """
    names = (
        re.fullmatch(r"([A-Z][A-Z_]{3,})(?:=(.*))?", text) for line in ten_lines() for text in code(line)
    )
    return {match[1]: match[2] or "" for match in names if match}


@dataclass(frozen=True)
class Deployment:
    """A deployment of a checkout: the folder, the environment of the processes, and the reverse proxy."""

    folder: Path
    environment: dict[str, str]
    proxy: ReverseProxy
    certificate: Certificate

    def arguments(self, command: str) -> list[str]:
        program, *arguments = command.split()
        return [str(Path(sys.executable).with_name(program)), *arguments]

    def run(self, command: str, *, exit_code: int = 0) -> subprocess.CompletedProcess[str]:
        """Run a command that begins with `python`, and return its output.

        Fail if the command ends with another exit code.
        """
        _python, *arguments = command.split()
        done = run_python(*arguments, environment=self.environment, folder=self.folder)
        assert done.returncode == exit_code, f"{command}\n{done.stdout}\n{done.stderr}"
        return done

    def start(self, command: str) -> "subprocess.Popen[bytes]":
        with (self.folder / f"{command.split(maxsplit=1)[0]}-{command.rsplit(maxsplit=1)[-1]}.log").open(
            "wb"
        ) as log:
            return processes.start(
                self.arguments(command), output=log, environment=self.environment, folder=self.folder
            )

    def browser(self) -> Browser:
        return Browser(HOST, self.proxy, self.certificate)

    def logs(self) -> str:
        return "\n".join(f"{path.name}:\n{path.read_text()}" for path in self.folder.glob("*.log"))


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[Deployment]:
    """Return a deployment with running servers and the runtime login role that README.md describes."""
    if servers.find_pgbouncer() is None:
        servers.skip_or_fail_in_ci("pgbouncer")
    home = Path(paths.private_folder(folders.FOLDER / f"ten-lines-{os.getpid()}"))
    server = servers.StockPostgres(home, binaries=servers.postgres_in_pg_bin())
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, home, ignore_errors=True)
        server.prepare()
        log = stack.enter_context((tmp_path / "postgres.log").open("wb"))
        process = server.start(log)
        stack.callback(processes.stop, process, signal_number=signal.SIGQUIT, timeout=10)
        server.wait_until_ready(process)
        password = secrets.token_urlsafe(20)
        create_runtime_login(server, password)
        runtime_url = f"postgres://hotelagent_app:{quote(password)}@{ports.LOOPBACK}:{server.port}/hotelagent"
        bouncer = stack.enter_context(servers.PgBouncer(runtime_url))
        metrics = tmp_path / "metrics"
        metrics.mkdir()
        values = {
            "DATABASE_URL": bouncer.url,
            "DATABASE_DIRECT_URL": server.url(postgres.OWNER),
            "REDIS_URL": os.environ["REDIS_URL"],
            "EMAIL_URL": "smtp+tls://user:password@127.0.0.1:1",
            "DEFAULT_FROM_EMAIL": f"Hotels <no-reply@{HOST}>",
            "SECRET_KEY": secrets.token_urlsafe(50),
            "PLATFORM_HOST": HOST,
            "PROMETHEUS_MULTIPROC_DIR": str(metrics),
            "PORT": str(ports.find_free_port()),
        }
        folder = tmp_path / "checkout"
        folder.mkdir()
        checkouts.copy(folder)
        certificate = Certificate.make(tmp_path, name=HOST)
        proxy = ReverseProxy(target=int(values["PORT"]), certificate=certificate)
        stack.enter_context(web.serving(proxy))
        environment = {name: value or values[name] for name, value in variables().items()}
        assert values.keys() <= environment.keys()
        inherited = {"PATH": os.environ["PATH"], "PYTHONPYCACHEPREFIX": str(checkouts.COMPILED)}
        yield Deployment(folder, {**inherited, **environment}, proxy, certificate)


def create_runtime_login(server: postgres.Postgres, password: str) -> None:
    with psycopg.connect(server.url(postgres.SUPERUSER), autocommit=True) as superuser:
        superuser.execute("DROP ROLE hotelagent_app")
    [statement] = [text for line in ten_lines() for text in code(line) if text.startswith("CREATE ROLE")]
    with psycopg.connect(server.url(postgres.OWNER), autocommit=True) as owner:
        owner.execute(statement.replace("...", password).encode())


def wait_until_ready(browser: Browser, deployment: Deployment) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while True:
        try:
            status, _headers, text = browser.request("GET", "/health/ready")
        except OSError:
            status, text = 0, "no response"
        if status == 200:
            return
        assert time.monotonic() < deadline, f"{text}\n{deployment.logs()}"
        time.sleep(0.2)


def wait_for_only_problem(part: str, deployment: Deployment) -> None:
    """Wait until `manage.py doctor` reports a problem of this part only, so the worker and Celery beat are running."""
    deadline = time.monotonic() + START_TIMEOUT
    while True:
        done = deployment.run(DOCTOR, exit_code=1)
        problems = re.findall(r"^PROBLEM +([a-z-]+): ", done.stdout, re.MULTILINE)
        if problems == [part]:
            assert "ok       settings: " in done.stdout, done.stdout
            return
        assert time.monotonic() < deadline, f"{done.stdout}\n{deployment.logs()}"


def test_ten_lines_of_the_readme_name_all_required_environment_variables() -> None:
    assert len(ten_lines()) == 10
    required = re.findall(
        r'^    "([A-Z_]+)": ',
        Path(paths.CHECKOUT, "hotelagent/settings/production.py").read_text(),
        re.MULTILINE,
    )
    assert set(required) <= variables().keys()


def complete_account(browser: Browser, password: str) -> None:
    """Choose a new password and set up two-factor authentication, which production requires after the first login."""
    assert browser.request("GET", "/admin/")[1]["Location"] == "/admin/password_change/"
    new_password = secrets.token_urlsafe(16)
    form = {"old_password": password, "new_password1": new_password, "new_password2": new_password}
    assert browser.submit("/admin/password_change/", form)[0] == 302
    assert browser.request("GET", "/admin/")[1]["Location"] == "/admin/account/two-factor/"
    _status, _headers, page = browser.request("GET", "/admin/account/two-factor/")
    secret = re.search(r'id="secret">([A-Z2-7 ]+)<', page)
    assert secret, page
    code = code_at(secret=base64.b32decode(secret[1].replace(" ", "")))
    status, _headers, page = browser.submit("/admin/account/two-factor/", {"code": code})
    assert status == 200
    assert len(re.findall(r"<li>[a-z2-9-]{14}</li>", page)) == 10, page


def test_deployment_by_the_ten_lines_of_the_readme_lets_staff_log_in(
    deployment: Deployment,
) -> None:
    output = {}
    started: dict[str, subprocess.Popen[bytes]] = {}
    with ExitStack() as stack:
        for command in commands():
            if command == DOCTOR:
                continue
            if command.startswith("python"):
                output[command] = deployment.run(command)
                continue
            process = deployment.start(command)
            stack.callback(processes.stop, process, signal_number=signal.SIGTERM, timeout=30)
            started[command] = process
        browser = deployment.browser()
        wait_until_ready(browser, deployment)
        [created] = [done for command, done in output.items() if "create_staff" in command]
        password = created.stdout.strip()
        status, headers, page = browser.log_in("you", password)
        assert (status, headers.get("Location")) == (302, "/admin/"), f"{page}\n{deployment.logs()}"
        complete_account(browser, password)
        status, _headers, page = browser.request("GET", "/admin/")
        assert status == 200, deployment.logs()
        styles = re.findall(r'href="(/static/[^"]+\.css)"', page)
        assert styles
        assert [browser.request("GET", style)[0] for style in styles] == [200] * len(styles)
        assert [command.split()[0] for command in started] == ["gunicorn", "celery", "celery"]
        assert [process.poll() for process in started.values()] == [None] * 3, deployment.logs()
        assert DOCTOR in commands()
        wait_for_only_problem("mail-server", deployment)
