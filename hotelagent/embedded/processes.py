"""Starting, recognising and stopping processes of our own, and never anybody else's."""

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
ORPHANS_END_WITHIN = 10  # seconds


@dataclass(frozen=True, slots=True)
class Identity:
    """A process for good: its id alone may belong to another one tomorrow."""

    pid: int
    started: str

    @classmethod
    def of(cls, pid: int) -> "Identity | None":
        """None where there is no such process, or only its unreaped remains."""
        try:
            if HAS_PROC:
                # Field 22, ticks since boot, with the boot it counts from: exact, where a time of day moves
                # with the clock. The name in field 2 may hold spaces and brackets.
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

    def lives(self) -> bool:
        return Identity.of(self.pid) == self


def unprivileged_user() -> tuple[int, int] | None:
    """(uid, gid) for programs that refuse to run as root; None where we are not root."""
    if os.geteuid() != 0:
        return None
    nobody = pwd.getpwnam("nobody")
    return nobody.pw_uid, nobody.pw_gid


def command(
    program: Sequence[str | Path],
    *,
    user: tuple[int, int] | None = None,
    may_need: Sequence[Path] = (),
    death_signal: int = signal.SIGTERM,
) -> list[str]:
    """The command line that runs a program so that it ends with this process, whatever ends this process.

    The kernel binds it to the thread that starts it: start it from one that lives as long as the process.
    """
    own = [sys.executable, "-I", "-S", str(Path(launch.__file__)), "--parent", str(os.getpid())]
    own += ["--signal", str(int(death_signal))]
    if user:
        own += ["--user", f"{user[0]}:{user[1]}", *(f"--may-need={path}" for path in may_need)]
    return [*own, "--", *(str(part) for part in program)]


def start(
    program: Sequence[str],
    *,
    output: int | IO[bytes],
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> "subprocess.Popen[bytes]":
    """Start it in a process group of its own: Ctrl-C is to reach only the one that stops all the others."""
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
    """Whether our child has ended, without reaping it: until then its group's number stays its own."""
    if process.returncode is not None:
        return True
    try:
        return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return True


def wait_for_end(process: "subprocess.Popen[bytes]", *, patience: float) -> bool:
    """Whether our child ends within `patience` seconds."""
    deadline = time.monotonic() + patience
    while not has_ended(process):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def stop(process: "subprocess.Popen[bytes]", *, signal_number: int, patience: float) -> None:
    """Ask our child to end; after `patience` seconds end it, and what is left of its group."""
    if not has_ended(process):
        process.send_signal(signal_number)
    wait_for_end(process, patience=patience)
    sweep(process)


def sweep(process: "subprocess.Popen[bytes]") -> None:
    """End whatever is left of our child's group, then reap it."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def write_roster(path: Path, children: Mapping[str, "subprocess.Popen[bytes]"]) -> None:
    """Note who our children are, for whoever has to clear up after this process was killed."""
    known = {name: Identity.of(child.pid) for name, child in children.items()}
    rows = [[name, who.pid, who.started] for name, who in known.items() if who]
    draft = path.with_suffix(".new")
    draft.write_text(json.dumps(rows))
    draft.replace(path)


def stop_orphans(path: Path) -> list[str]:
    """Stop children that a killed process left behind, those that are surely the same, and say which."""
    try:
        rows = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return []
    left = [(name, Identity(pid, started)) for name, pid, started in rows]
    left = [(name, who) for name, who in left if who.lives()]
    for _, who in left:
        signal_group(who, signal.SIGTERM)
    deadline = time.monotonic() + ORPHANS_END_WITHIN
    while time.monotonic() < deadline and any(who.lives() for _, who in left):
        time.sleep(0.05)
    for _, who in left:
        signal_group(who, signal.SIGKILL)
    path.unlink(missing_ok=True)
    return [name for name, _ in left]


def signal_group(who: Identity, number: int) -> None:
    if who.lives():
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(who.pid, number)
