"""The file on disk that a backup is written to: private, whole or not there, and nobody else's."""

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import structlog

from tenants.lifecycle.backup.errors import BackupRefused

log = structlog.get_logger(__name__)

#: Of a file that is being written: no other program's ends so.
_SUFFIX = ".hotelagent-part"


def refuse_existing_file(path: Path, *, overwrite: bool) -> None:
    if path.is_dir():
        raise BackupRefused(f"{path} is a folder. Name a file in it.")
    if path.exists() and not overwrite:
        raise BackupRefused(f"{path} is there already. Name another file, or say --force.")


@contextlib.contextmanager
def new_file(path: Path) -> Iterator[tuple[BinaryIO, Path]]:
    """A file beside `path` that only we may read; gone at the end unless it was moved.

    Killed, we leave it there, with personal data in it: the next one in this folder removes it.
    """
    _remove_abandoned(path.parent)
    number, name = _made_and_locked(path)
    try:
        with os.fdopen(number, "w+b") as file:
            yield file, Path(name)
            _folder_to_disk(path.parent)
    finally:
        Path(name).unlink(missing_ok=True)


def _made_and_locked(path: Path) -> tuple[int, str]:
    while True:
        number, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=_SUFFIX, dir=path.parent)
        with contextlib.suppress(
            OSError
        ):  # a file system without locks: nobody takes anything for abandoned there
            fcntl.flock(number, fcntl.LOCK_EX)
        if os.fstat(number).st_nlink:
            return number, name
        os.close(number)  # another removed it before it was locked


def _remove_abandoned(folder: Path) -> None:
    """Whoever writes a file has it locked, and the lock ends with the process, however that ends."""
    for found in folder.glob(f".*{_SUFFIX}"):
        with contextlib.suppress(OSError), found.open("r+b") as file:  # being written, or another user's
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            found.unlink()
            log.warning("backup.abandoned_removed", file=str(found))


def flush_to_disk(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _folder_to_disk(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
