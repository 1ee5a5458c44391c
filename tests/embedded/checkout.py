"""A copy of this checkout somewhere else, with this one's packages: what a second clone is."""

import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from hotelagent.embedded import launch, paths, ports

SERVE_WITHIN = 90.0  # seconds: two hotels are made and loaded


def copy(folder: Path) -> "Checkout":
    """The files that git knows or would add, and a link to the packages."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"],
        cwd=paths.CHECKOUT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        source, target = paths.CHECKOUT / name, folder / name
        if source.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    (folder / ".hotelagent").mkdir(exist_ok=True)
    (folder / ".hotelagent" / "venv").symlink_to(paths.HOME / "venv")
    return Checkout(folder)


def python_for_others() -> str:
    """A Python like this one that any user may run; skips the test where there is none."""
    version = f"python{sysconfig.get_python_version()}"
    for path in (
        Path(sys.executable).resolve(),
        Path("/usr/bin") / version,
        Path("/usr/local/bin") / version,
    ):
        if path.exists() and launch.may_reach(str(path.resolve()), 65534, 65534):
            return str(path)
    pytest.skip(f"no {version} that other users may run")


@dataclass
class Checkout:
    folder: Path
    port: int = field(default_factory=ports.any_free)
    mail_port: int = field(default_factory=ports.any_free)

    def environment(self) -> dict[str, str]:
        own = {
            name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "HOTELAGENT"))
        }
        for name in (
            "DATABASE_URL",
            "DATABASE_DIRECT_URL",
            "REDIS_URL",
            "EMAIL_URL",
            "DJANGO_SETTINGS_MODULE",
        ):
            own.pop(name, None)
        return {
            **own,
            "PORT": str(self.port),
            "MAIL_PORT": str(self.mail_port),
            # The packages are compiled once, not for every copy.
            "PYTHONPYCACHEPREFIX": str(paths.HOME / "pycache"),
        }

    def manage(self, *arguments: str, user: str | None = None) -> "subprocess.CompletedProcess[str]":
        python, environment = sys.executable, self.environment()
        if user:
            python = python_for_others()
            # The packages by their folder: the virtual environment's Python may stand below a private one.
            environment["PYTHONPATH"] = sysconfig.get_path("purelib")
        return subprocess.run(
            [python, "manage.py", *arguments],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
            user=user,
            group=None if user is None else "nogroup",
            extra_groups=None if user is None else [],
        )

    def serve(self) -> "Serving":
        log = self.folder / "serve.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "manage.py", "serve"],
                cwd=self.folder,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return Serving(self, process, log)

    def processes(self) -> list[psutil.Process]:
        """Every process that runs something of this copy, whoever started it."""
        mark = str(self.folder)
        return [
            process
            for process in psutil.process_iter(["cmdline", "cwd"])
            if mark in " ".join(process.info["cmdline"] or []) or (process.info["cwd"] or "").startswith(mark)
        ]


@dataclass
class Serving:
    checkout: Checkout
    process: "subprocess.Popen[bytes]"
    log: Path

    def wait_for(self, text: str, *, patience: float = SERVE_WITHIN) -> None:
        deadline = time.monotonic() + patience
        while text not in self.log.read_text(errors="replace"):
            said = self.log.read_text(errors="replace")
            assert self.process.poll() is None, f"serve ended:\n{said}"
            assert time.monotonic() < deadline, f"no {text!r} within {patience} s:\n{said}"
            time.sleep(0.1)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=40)


def wait_until_nothing_runs(checkout: Checkout, *, patience: float = 20) -> None:
    deadline = time.monotonic() + patience
    while left := checkout.processes():
        assert time.monotonic() < deadline, [process.info["cmdline"] for process in left]
        time.sleep(0.1)
