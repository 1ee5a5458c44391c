"""A helper that copies this checkout to another folder, like a second clone.

The copy uses the installed packages of this checkout.
"""

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
#: The folder in which the processes of the tests store compiled modules.
COMPILED = Path(sys.pycache_prefix or paths.HOME / "pycache")
#: Seconds until `serve` is ready, including the creation of two hotels with their bookings.
SERVE_TIMEOUT = 200.0


def copy(folder: Path) -> "Checkout":
    """Copy this checkout, except for the files that git ignores, to the folder.

    Link the installed packages.
    """
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
    _link_compiled_modules(folder)
    return Checkout(folder)


def _link_compiled_modules(folder: Path) -> None:
    """Let the copy use the compiled modules of this checkout, because compiling the modules again takes seconds."""
    link, target = (COMPILED / path.relative_to(path.anchor) for path in (folder, paths.CHECKOUT))
    if link.is_symlink():
        link.unlink()
    shutil.rmtree(link, ignore_errors=True)  # compiled modules of an earlier copy in this folder
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(target)


@dataclass
class Checkout:
    """A copy of the project's files in `folder`, and the ports of the servers that are started in the copy."""

    folder: Path
    port: int = field(default_factory=ports.find_free_port)
    mail_port: int = field(default_factory=ports.find_free_port)

    def environment(self) -> dict[str, str]:
        variables = {
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
            variables.pop(name, None)
        return {
            **variables,
            "PORT": str(self.port),
            "MAIL_PORT": str(self.mail_port),
            "PYTHONPYCACHEPREFIX": str(COMPILED),
        }

    def manage(self, *arguments: str, as_nobody: bool = False) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "manage.py", *arguments]
        if as_nobody:
            # The user `nobody` may write only to the copy, but must be able to read the installed packages.
            packages = Path(sysconfig.get_path("purelib"))
            python = Path(sys.executable).resolve()
            command = processes.command(command, user=NOBODY, required_paths=[python, packages])
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
        """Return all processes whose command line or working directory contains the folder of this checkout."""
        folder = str(self.folder)
        return [
            process
            for process in psutil.process_iter(["cmdline", "cwd"])
            if folder in " ".join(process.info["cmdline"] or [])
            or (process.info["cwd"] or "").startswith(folder)
        ]


@dataclass
class Serving:
    """A running process of `manage.py serve` and the file with its output."""

    checkout: Checkout
    process: "subprocess.Popen[bytes]"
    log: Path

    def wait_for(self, text: str, *, timeout: float = SERVE_TIMEOUT) -> None:
        deadline = time.monotonic() + timeout
        while text not in self.log.read_text(errors="replace"):
            output = self.log.read_text(errors="replace")
            assert self.process.poll() is None, f"serve ended:\n{output}"
            assert time.monotonic() < deadline, f"no {text!r} within {timeout} s:\n{output}"
            time.sleep(0.1)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=40)


def wait_until_nothing_runs(checkout: Checkout, *, timeout: float = 20) -> None:
    deadline = time.monotonic() + timeout
    while remaining := checkout.processes():
        assert time.monotonic() < deadline, [process.info["cmdline"] for process in remaining]
        time.sleep(0.1)
