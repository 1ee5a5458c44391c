"""Where the servers of a test run keep their files: in .hotelagent, and in memory where there is plenty."""

import fcntl
import shutil
import tempfile
from pathlib import Path
from typing import IO

import psutil

from hotelagent.embedded import paths

FOLDER = paths.HOME / "test"
MEMORY = Path("/dev/shm")  # noqa: S108 - tempfile makes a folder there that only we may look into
PLENTY = 4 * 1024**3  # bytes; all tests take 150 MB, the whole file of bookings more


def claim() -> tuple[Path, IO[str]]:
    """The first numbered folder that no other run holds, empty, and the lock that holds it until it is closed."""
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
        delete(folder)  # what an earlier run left in it
        return paths.private_folder(folder), lock


def in_memory(link: Path) -> Path:
    """A new folder in memory that the link leads to, where this machine has plenty of that; else `link` itself.

    Each clone of a database makes 750 files and deletes as many. An ext4 without a journal gives out no inode
    again for minutes, and looks at all of those before it finds another: 0.04 s for a clone become 0.7.
    """
    if MEMORY.is_dir() and min(shutil.disk_usage(MEMORY).free, psutil.virtual_memory().available) > PLENTY:
        link.symlink_to(tempfile.mkdtemp(prefix="hotelagent-test-", dir=MEMORY))
    return link.resolve()


def delete(folder: Path) -> None:
    """With what its links lead to."""
    for link in filter(Path.is_symlink, folder.iterdir()):
        shutil.rmtree(link.readlink(), ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)
