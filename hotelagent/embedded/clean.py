"""Forgets the data of this checkout: `make clean`."""

import shutil
import sys

from hotelagent.embedded import paths
from hotelagent.embedded.keeper import KEEPER
from hotelagent.embedded.servers import is_locked

KEPT = {"venv", "install.lock", "pycache"}


def main() -> int:
    if is_locked(paths.RUN / KEEPER):
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
