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

from hotelagent.embedded import paths, ports, processes

NOBODY = (65534, 65534)
SERVE_WITHIN = 200.0  # seconds: two hotels are made and loaded


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
            "PYTHONDONTWRITEBYTECODE",
        ):
            own.pop(name, None)
        return {
            **own,
            "PORT": str(self.port),
            "MAIL_PORT": str(self.mail_port),
            # The packages are compiled once, not for every copy.
            "PYTHONPYCACHEPREFIX": str(paths.HOME / "pycache"),
        }

    def manage(self, *arguments: str, as_nobody: bool = False) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "manage.py", *arguments]
        if as_nobody:
            # Who may write its own only, and read the packages where they stand below a private folder.
            packages = Path(sysconfig.get_path("purelib"))
            python = Path(sys.executable).resolve()
            command = processes.command(command, user=NOBODY, may_need=[python, packages])
        return subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=200,
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
