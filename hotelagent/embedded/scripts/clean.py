"""The script of `make clean`: it deletes the development data of this checkout and keeps the installed packages."""

import shutil
import sys

from hotelagent.embedded import paths
from hotelagent.embedded.servers.access import is_locked
from hotelagent.embedded.servers.keeper import KEEPER_LOCK

KEPT = {"venv", "install.lock", "pycache"}


def main() -> int:
    if is_locked(paths.RUN / KEEPER_LOCK):
        print("The servers are running. Stop `make run` (Ctrl-C) and other commands first.", file=sys.stderr)
        return 2
    for path in paths.HOME.iterdir():
        if path.name in KEPT:
            continue
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
