"""Functions that start, identify and stop child processes, and never send a signal to an unrelated process."""

import contextlib
import json
import os
import pwd
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil

from hotelagent.embedded import launch

HAS_PROC = Path("/proc/self/stat").exists()
#: Seconds between SIGTERM and SIGKILL for processes whose parent was killed.
ORPHAN_TIMEOUT = 10


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """A process id together with the start time of the process, because process ids are reused."""

    pid: int
    started: str

    @classmethod
    def of(cls, pid: int) -> "ProcessIdentity | None":
        """Return the identity of a running process, or None if there is no such process or it is a zombie."""
        try:
            if HAS_PROC:
                # The program name in /proc/<pid>/stat may contain spaces, so only the text after the last ")" is split.
                # The start time is counted in clock ticks since boot, so setting the clock does not affect it.
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                if fields[0] in "ZX":
                    return None
                boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
                return cls(pid, f"{boot}:{fields[19]}")
            process = psutil.Process(pid)
            if process.status() == psutil.STATUS_ZOMBIE:
                return None
            return cls(pid, f"{process.create_time():.0f}")
        except (FileNotFoundError, ProcessLookupError, psutil.NoSuchProcess):
            return None

    def is_running(self) -> bool:
        return ProcessIdentity.of(self.pid) == self


def unprivileged_user() -> tuple[int, int] | None:
    """Return the uid and gid of the user \"nobody\" for programs that refuse to run as root.

    Return None if this process does not run as root.
    """
    if os.geteuid() != 0:
        return None
    nobody = pwd.getpwnam("nobody")
    return nobody.pw_uid, nobody.pw_gid


def command(
    program: Sequence[str | Path],
    *,
    user: tuple[int, int] | None = None,
    required_paths: Sequence[Path] = (),
    death_signal: int = signal.SIGTERM,
) -> list[str]:
    """Return a command line that runs a program as a child, which ends when this process ends or is killed.

    Start the child from the main thread, because the child also ends with the thread that started the child.
    `hotelagent.embedded.launch` explains `user` and `required_paths`.
    """
    launcher = [sys.executable, "-I", "-S", str(Path(launch.__file__)), "--parent", str(os.getpid())]
    launcher += ["--signal", str(int(death_signal))]
    if user:
        launcher += [
            "--user",
            f"{user[0]}:{user[1]}",
            *(f"--required-path={path}" for path in required_paths),
        ]
    return [*launcher, "--", *(str(part) for part in program)]


def start(
    program: Sequence[str],
    *,
    output: int | IO[bytes],
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> "subprocess.Popen[bytes]":
    """Start a program in a separate process group. Ctrl-C does not reach the program, so the caller must stop it."""
    return subprocess.Popen(  # noqa: S603 - our own command line
        program,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        env=None if environment is None else dict(environment),
        cwd=folder,
        start_new_session=True,
    )


def has_ended(process: "subprocess.Popen[bytes]") -> bool:
    """Return whether a child process has ended, without reaping it.

    The kernel keeps the process group id reserved until the child is reaped, so a signal to the group cannot reach
    other processes.
    """
    if process.returncode is not None:
        return True
    try:
        return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return True


def wait_for_end(process: "subprocess.Popen[bytes]", *, timeout: float) -> bool:
    """Wait until the child has ended, for at most `timeout` seconds. Return whether it has ended."""
    deadline = time.monotonic() + timeout
    while not has_ended(process):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def stop(process: "subprocess.Popen[bytes]", *, signal_number: int, timeout: float) -> None:
    """Send the signal to the child and wait at most `timeout` seconds until it ends. Then kill its process group."""
    if not has_ended(process):
        process.send_signal(signal_number)
    wait_for_end(process, timeout=timeout)
    kill_group(process)


def kill_group(process: "subprocess.Popen[bytes]") -> None:
    """Kill the process group of the child process, and wait until the child process has ended."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.kill()  # the child may not have become the leader of a group
        process.wait()


def record_children(path: Path, children: Mapping[str, "subprocess.Popen[bytes]"]) -> None:
    """Write the identities of child processes to a file. If this process is killed, `stop_orphans` can stop them."""
    identities = {name: ProcessIdentity.of(child.pid) for name, child in children.items()}
    rows = [[name, identity.pid, identity.started] for name, identity in identities.items() if identity]
    draft = path.with_suffix(".new")
    draft.write_text(json.dumps(rows))
    draft.replace(path)


def stop_orphans(path: Path) -> list[str]:
    """Stop the recorded processes that still run after their parent process was killed. Return their names.

    `path` is the file that `record_children` wrote.
    """
    try:
        rows = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return []
    recorded = [(name, ProcessIdentity(pid, started)) for name, pid, started in rows]
    orphans = [(name, identity) for name, identity in recorded if identity.is_running()]
    for _name, identity in orphans:
        signal_group(identity, signal.SIGTERM)
    deadline = time.monotonic() + ORPHAN_TIMEOUT
    while time.monotonic() < deadline and any(identity.is_running() for _name, identity in orphans):
        time.sleep(0.05)
    for _name, identity in orphans:
        signal_group(identity, signal.SIGKILL)
    path.unlink(missing_ok=True)
    return [name for name, _identity in orphans]


def signal_group(identity: ProcessIdentity, number: int) -> None:
    if identity.is_running():
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(identity.pid, number)
