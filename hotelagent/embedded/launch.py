"""Becomes another program: dies with its parent, and as root runs as another user.

It is run by path with `python -I -S`, so it uses the standard library only:

    launch.py --parent PID [--signal N] [--user UID:GID --may-need PATH ...] -- program argument ...

PostgreSQL and PgBouncer refuse to run as root. The user they run as instead may not be able to reach a
checkout below a private folder such as /root. Widening the folders' permissions for good would be wrong, so
the program keeps one capability where, and only where, it needs it: to read past permissions, or, where a
container took that one away or a file may not be executed either, to ignore them.
"""

import argparse
import ctypes
import os
import signal
import stat
import sys

# As the manual pages prctl(2) and capabilities(7) number them.
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
    """Have these capabilities (bit masks); what is permitted may be left to the next program."""
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    # effective, permitted, inheritable: low words first, then high words
    data = (ctypes.c_uint32 * 6)(effective, permitted, permitted, 0, 0, 0)
    if libc.capset(header, data):
        raise OSError(ctypes.get_errno(), f"capset: {os.strerror(ctypes.get_errno())}")


def permitted_capabilities() -> int:
    with open("/proc/self/status", encoding="ascii") as status:  # noqa: PTH123
        return next(int(line.split()[1], 16) for line in status if line.startswith("CapPrm:"))


def may_reach(path: str, uid: int, gid: int) -> bool:
    """Whether permissions alone let this user search every folder above the path, and read and run it."""
    wanted = stat.S_IRUSR | stat.S_IXUSR
    while True:
        about = os.stat(path)  # noqa: PTH116 - pathlib takes longer to import than the rest
        shift = 0 if about.st_uid == uid else 3 if about.st_gid == gid else 6
        if (about.st_mode << shift) & wanted != wanted:
            return False
        if path == "/":
            return True
        path, wanted = os.path.dirname(path), stat.S_IXUSR  # noqa: PTH120


def become(uid: int, gid: int, may_need: list[str]) -> None:
    """Change to the user, keeping a capability when a path would be out of reach without it."""
    reachable = all(may_reach(os.path.realpath(path), uid, gid) for path in may_need)
    if not reachable:
        # access(2), which PostgreSQL asks about its own binary, forgets capabilities of a user other than
        # root unless this bit is set (kernel: fs/open.c, access_override_creds).
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
            if all(os.access(path, os.R_OK | os.X_OK) for path in may_need):
                set_capabilities(1 << capability, 1 << capability)
                prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability)
                return
    sys.exit(
        f"user {uid} cannot reach {may_need[0]}: put the checkout where other users may look, such as /srv"
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--signal", type=int, default=int(signal.SIGTERM))
    parser.add_argument("--user")
    parser.add_argument("--may-need", action="append", default=[])
    parser.add_argument("program", nargs="+")
    options = parser.parse_args()
    if options.user:
        uid, gid = (int(part) for part in options.user.split(":"))
        become(uid, gid, options.may_need)
    if sys.platform == "linux":
        prctl(PR_SET_PDEATHSIG, options.signal)  # after the change of user, which clears it
        if os.getppid() != options.parent:
            sys.exit(f"{options.program[0]}: whoever started this ended at once, so it does not start")
    os.execv(options.program[0], options.program)  # noqa: S606 - our own command line


if __name__ == "__main__":
    main()
