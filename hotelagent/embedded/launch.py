"""A launcher for programs that must end when their parent process ends.

    launch.py --parent PID [--signal N] [--user UID:GID --required-path PATH ...] -- program argument ...

If root starts the launcher, the launcher can run the program as another user, because PostgreSQL and PgBouncer refuse
to run as root. The file uses only the standard library, because `python -I -S` executes it.
"""

import argparse
import ctypes
import os
import signal
import stat
import sys

# The constants of Linux that this file uses. The manual pages prctl(2) and capabilities(7) explain them.
PR_SET_PDEATHSIG = 1
PR_SET_KEEPCAPS = 8
PR_SET_SECUREBITS = 28
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
SECBIT_NO_SETUID_FIXUP = 1 << 2
CAP_DAC_OVERRIDE = 1
CAP_DAC_READ_SEARCH = 2
CAPABILITY_VERSION_3 = 0x20080522


def prctl(*arguments: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(*(ctypes.c_ulong(value) for value in (*arguments, 0, 0, 0, 0)[:5])):
        raise OSError(ctypes.get_errno(), f"prctl{arguments}: {os.strerror(ctypes.get_errno())}")


def set_capabilities(effective: int, permitted: int) -> None:
    """Set the Linux capabilities of this process.

    The arguments are bit masks. A program that this process executes can inherit the `permitted` capabilities.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    # capset(2) expects the low 32 bits of the effective, permitted and inheritable sets, then their high 32 bits.
    data = (ctypes.c_uint32 * 6)(effective, permitted, permitted, 0, 0, 0)
    if libc.capset(header, data):
        raise OSError(ctypes.get_errno(), f"capset: {os.strerror(ctypes.get_errno())}")


def permitted_capabilities() -> int:
    with open("/proc/self/status", encoding="ascii") as status:  # noqa: PTH123
        return next(int(line.split()[1], 16) for line in status if line.startswith("CapPrm:"))


def is_accessible(path: str, uid: int, gid: int) -> bool:
    """Return whether file permissions let the user read and execute the file, and search its parent folders."""
    required = stat.S_IRUSR | stat.S_IXUSR
    while True:
        status = os.stat(path)  # noqa: PTH116 - importing pathlib takes longer than everything else here
        shift = 0 if status.st_uid == uid else 3 if status.st_gid == gid else 6
        if (status.st_mode << shift) & required != required:
            return False
        if path == "/":
            return True
        path, required = os.path.dirname(path), stat.S_IXUSR  # noqa: PTH120


def change_user(uid: int, gid: int, required_paths: list[str]) -> None:
    """Change the user of this process to the user with the id `uid`.

    If file permissions deny this user access to a required path, the process keeps a Linux capability that allows it.
    """
    reachable = all(is_accessible(os.path.realpath(path), uid, gid) for path in required_paths)
    if not reachable:
        # PostgreSQL checks with access(2) whether it can execute its program file.
        # access(2) ignores the capabilities of a process unless the secure bit SECBIT_NO_SETUID_FIXUP is set.
        prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP)
        prctl(PR_SET_KEEPCAPS, 1)
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    if reachable:
        return
    kept = permitted_capabilities() & (1 << CAP_DAC_READ_SEARCH | 1 << CAP_DAC_OVERRIDE)
    for capability in (CAP_DAC_READ_SEARCH, CAP_DAC_OVERRIDE):
        if kept & 1 << capability:
            set_capabilities(1 << capability, kept)
            if all(os.access(path, os.R_OK | os.X_OK) for path in required_paths):
                set_capabilities(1 << capability, 1 << capability)
                prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability)
                return
    sys.exit(
        f"User {uid} has no access to {required_paths[0]}. Move the checkout to a folder that other users can read, "
        "such as /srv."
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--signal", type=int, default=int(signal.SIGTERM))
    parser.add_argument("--user")
    parser.add_argument("--required-path", action="append", default=[])
    parser.add_argument("program", nargs="+")
    options = parser.parse_args()
    if options.user:
        uid, gid = (int(part) for part in options.user.split(":"))
        change_user(uid, gid, options.required_path)
    if sys.platform == "linux":
        # Set the signal for the death of the parent process last, because a change of the user clears this setting.
        prctl(PR_SET_PDEATHSIG, options.signal)
        if os.getppid() != options.parent:
            sys.exit(f"{options.program[0]} was not started, because its parent process has ended.")
    os.execv(options.program[0], options.program)  # noqa: S606 - our own command line


if __name__ == "__main__":
    main()
