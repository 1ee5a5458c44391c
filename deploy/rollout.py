"""The steps of `deploy/bin/deploy` and `deploy/bin/rollback`.

The steps run the commands of a service manager through a small program. `deploy/bin/services-systemd` and
`deploy/bin/services-compose` are such programs, and `deploy/bin/README.md` describes what they must do. This module
needs only the standard library, because the scripts run on servers without the packages of the project.
"""

import fcntl
import json
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

#: Seconds for which the new version may start until it must respond.
START_TIMEOUT = 180.0
#: Seconds between two requests of a health check.
INTERVAL = 1.0
#: Number of failed health checks in a row that end a deployment.
MAX_FAILED_CHECKS = 5
#: With fewer failed requests than this, their share says nothing.
MIN_FAILED = 5
_COUNT = re.compile(r'^hotelagent_request_seconds_count\{.*status="(\d+)".*\} (\S+)$', re.MULTILINE)


class StepFailed(Exception):
    """A step of a deployment failed. The text says what to do."""


@dataclass(frozen=True)
class Services:
    """The program that runs the commands of the service manager. With `dry_run`, commands are printed only."""

    program: str
    dry_run: bool = False

    def current(self) -> str:
        """Return the version that runs now."""
        return self._call("current").strip()

    def fetch(self, path: str) -> str:
        """Return the response of a web process to a request for the path. Raise StepFailed unless its status is 200."""
        return self._call("fetch", path)

    def manage(self, version: str, *arguments: str) -> None:
        """Run a management command of the version."""
        self._run("manage", version, *arguments)

    def switch(self, version: str) -> None:
        """Run all processes with the version from now on."""
        self._run("switch", version)

    def _call(self, *arguments: str) -> str:
        done = subprocess.run([self.program, *arguments], capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode:
            raise StepFailed(
                f"`{shlex.join([self.program, *arguments])}` failed: {done.stderr.strip()[-500:]}"
            )
        return done.stdout

    def _run(self, *arguments: str) -> None:
        command = shlex.join([self.program, *arguments])
        say(f"  {command}")
        if not self.dry_run and subprocess.run([self.program, *arguments], check=False).returncode:  # noqa: S603
            raise StepFailed(f"`{command}` failed. Its output is above.")


@dataclass(frozen=True)
class Requests:
    """The numbers of requests, and of requests with a server error, since the web processes started."""

    total: float
    failed: float

    @classmethod
    def read(cls, services: Services) -> "Requests":
        counts = [(status, float(count)) for status, count in _COUNT.findall(services.fetch("/metrics"))]
        return cls(
            total=sum(count for _status, count in counts),
            failed=sum(count for status, count in counts if status.startswith("5")),
        )

    def since(self, before: "Requests") -> "Requests":
        """Return the numbers since `before`. New web processes count from zero, so all their requests are returned."""
        if before.total > self.total:
            return self
        return Requests(self.total - before.total, self.failed - before.failed)

    def __str__(self) -> str:
        return f"{self.failed:g} of {self.total:g} requests failed with a server error"


@dataclass(frozen=True)
class Watch:
    """For how many seconds the deployment is watched after each step, and the limit for its failed requests."""

    seconds: float
    max_error_percent: float

    def is_exceeded(self, requests: Requests) -> bool:
        """Return whether too many requests failed: at least `MIN_FAILED`, and a larger share than the limit."""
        return (
            requests.failed >= MIN_FAILED and 100 * requests.failed > self.max_error_percent * requests.total
        )

    def run(self, services: Services) -> None:
        """Watch the running version. Raise StepFailed if too many requests fail, or web processes are not ready."""
        say(
            f"  watch /health/ready and /metrics for {self.seconds:g} s: at most {self.max_error_percent:g} % errors"
        )
        if services.dry_run:
            return
        before = None
        deadline, failed_checks = time.monotonic() + self.seconds, 0
        while True:
            try:
                services.fetch("/health/ready")
                now = Requests.read(services)
            except StepFailed as error:
                failed_checks += 1
                if failed_checks >= MAX_FAILED_CHECKS:
                    raise StepFailed(f"The deployment is not ready. {error}") from None
            else:
                failed_checks = 0
                if before is None:
                    before = now
                else:
                    requests = now.since(before)
                    if self.is_exceeded(requests):
                        raise StepFailed(f"{requests} (limit: {self.max_error_percent:g} %).")
                    # The time ends with a successful check only, and after two of them at least.
                    if time.monotonic() > deadline:
                        say(f"  {requests}")
                        return
            time.sleep(INTERVAL)


def say(text: str) -> None:
    print(text, flush=True)


def deploy(
    services: Services,
    version: str,
    *,
    canaries: Sequence[str],
    backup: Sequence[str],
    skip: Sequence[str],
    watch: Watch,
    state: Path,
) -> None:
    """Bring the deployment to the version, step by step. Each step may be repeated, so a failed run can run again.

    If the new version fails after the switch, the previous version runs again, and StepFailed is raised. Migrations are
    not reversed, because the previous version works with the new schema.
    """
    previous = services.current()
    steps: dict[str, tuple[str, Callable[[], None]]] = {
        "check": (
            f"Check the settings of {version}",
            lambda: services.manage(version, "check", "--deploy", "--database", "default"),
        ),
        "doctor": (f"Examine the deployment of {previous}", lambda: services.manage(previous, "doctor")),
        "backup": ("Back up", lambda: services.manage(previous, *backup)),
    }
    for name, (title, run) in steps.items():
        say(f"{title}{' (skipped)' if name in skip else ''}")
        if name not in skip:
            run()
    if canaries:
        say(f"Migrate the canary hotels: {', '.join(canaries)}")
        services.manage(version, "migrate", *(part for slug in canaries for part in ("--hotel", slug)))
        watch.run(services)
    say("Migrate all other hotels")
    services.manage(version, "migrate")
    watch.run(services)
    if version == previous:
        say(f"{version} runs already.")
        return
    say(f"Switch from {previous} to {version}")
    if not services.dry_run:
        write_state(state, previous)
    try:
        switch(services, version)
        watch.run(services)
    except StepFailed as error:
        say(f"{error} Rolling back.")
        switch(services, previous)
        raise StepFailed(f"{version} failed, and {previous} runs again. {error}") from None
    say(f"{version} runs.")


def roll_back(services: Services, version: str | None, *, watch: Watch, state: Path) -> None:
    """Run the version, or the version before the last deployment if `version` is None, and watch it."""
    version = version or read_state(state)
    if services.current() == version:
        say(f"{version} runs already.")
        return
    say(f"Switch from {services.current()} to {version}")
    switch(services, version)
    watch.run(services)
    say(f"{version} runs.")


def switch(services: Services, version: str) -> None:
    """Run all processes with the version, and wait until its web processes respond."""
    services.switch(version)
    if services.dry_run:
        return
    deadline = time.monotonic() + START_TIMEOUT
    while True:
        try:
            services.fetch("/health/ready")
            if f'hotelagent_version_info{{version="{version}"}}' in services.fetch("/metrics"):
                return
            problem = f"Another version responds. Set CODE_VERSION={version} for its processes."
        except StepFailed as error:
            problem = str(error)
        if time.monotonic() > deadline:
            raise StepFailed(f"{version} does not respond after {START_TIMEOUT:g} s. {problem}")
        time.sleep(INTERVAL)


def read_state(state: Path) -> str:
    try:
        return str(json.loads(state.read_text())["previous"])
    except FileNotFoundError:
        raise StepFailed("No deployment was made with `deploy` yet. Name the version to run.") from None


def write_state(state: Path, previous: str) -> None:
    draft = state.with_suffix(".new")
    draft.write_text(json.dumps({"previous": previous}))
    draft.replace(state)


@contextmanager
def exclusive(state: Path) -> Iterator[None]:
    """Raise StepFailed if another deployment runs on this machine."""
    state.parent.mkdir(parents=True, exist_ok=True)
    with state.with_suffix(".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StepFailed("Another deployment runs. Wait until it has ended.") from None
        yield


def main(run: Callable[[], None], *, state: Path, dry_run: bool) -> int:
    """Run the deployment, and return the exit code: 0, or 1 if a step failed."""
    try:
        if dry_run:
            run()
            return 0
        with exclusive(state):
            run()
    except StepFailed as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0
