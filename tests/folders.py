"""Functions that create and delete the folders in which test servers store their data.

The folders are below .hotelagent/test, or in memory if enough memory is free.
"""

import fcntl
import shutil
import tempfile
from pathlib import Path
from typing import IO

import psutil

from hotelagent.embedded import paths

FOLDER = paths.HOME / "test"
MEMORY = Path("/dev/shm")  # noqa: S108 - tempfile creates a folder in it that only this user can read
#: Data is stored in memory if at least this many bytes are free. The tests need 150 MB, and `make replay` needs more.
REQUIRED_MEMORY = 4 * 1024**3


def claim() -> tuple[Path, IO[str]]:
    """Return an empty folder that no other test run uses, and a lock file.

    The folder is reserved until the lock file is closed.
    """
    number = 0
    while True:
        folder = paths.private_folder(FOLDER / str(number))
        lock = (FOLDER / f"{number}.lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            number += 1
            continue
        delete(folder)  # an earlier test run may have left data in the folder
        return paths.private_folder(folder), lock


def in_memory(link: Path) -> Path:
    """Create a folder in memory and a symbolic link to the folder, and return the folder.

    The path of the symbolic link is `link`. If there is not enough free memory, nothing is created and `link` is
    returned. Tests copy a database often. On an ext4 file system without a journal, a copy takes 0.7 s instead of 0.04
    s, because the file system reuses the inodes of deleted files late.
    """
    free = min(shutil.disk_usage(MEMORY).free, psutil.virtual_memory().available) if MEMORY.is_dir() else 0
    if free > REQUIRED_MEMORY:
        link.symlink_to(tempfile.mkdtemp(prefix="hotelagent-test-", dir=MEMORY))
    return link.resolve()


def delete(folder: Path) -> None:
    """Delete the folder, and the folders in memory to which its symbolic links point."""
    for link in filter(Path.is_symlink, folder.iterdir()):
        shutil.rmtree(link.readlink(), ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)
