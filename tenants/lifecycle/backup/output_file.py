"""The output file of a backup. Only its owner can read it, and it exists only if it is complete."""

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import structlog

from tenants.lifecycle.backup.errors import BackupConflict

log = structlog.get_logger(__name__)

#: The suffix of unfinished files. No other program uses it.
_SUFFIX = ".hotelagent-part"


def refuse_existing_file(path: Path, *, overwrite: bool) -> None:
    """Raise BackupConflict if the path is a folder, or a file that must not be overwritten."""
    if path.is_dir():
        raise BackupConflict(f"{path} is a folder. Name a file in it.")
    if path.exists() and not overwrite:
        raise BackupConflict(f"{path} already exists. Name another file, or use --force to overwrite it.")


@contextlib.contextmanager
def new_file(path: Path) -> Iterator[tuple[BinaryIO, Path]]:
    """Open a temporary file in the folder of `path` that only its owner may read.

    It is deleted on exit unless it was moved. A process that is killed leaves a temporary file with personal data
    behind. The next backup to the same folder deletes such files.
    """
    _delete_abandoned_files(path.parent)
    descriptor, name = _create_locked(path)
    try:
        with os.fdopen(descriptor, "w+b") as file:
            yield file, Path(name)
            _flush_folder_to_disk(path.parent)
    finally:
        Path(name).unlink(missing_ok=True)


def _create_locked(path: Path) -> tuple[int, str]:
    while True:
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=_SUFFIX, dir=path.parent)
        # File systems without locks raise OSError. On them, no unfinished file is deleted.
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return descriptor, name
        os.close(descriptor)  # another process deleted the file before it was locked


def _delete_abandoned_files(folder: Path) -> None:
    """Delete unfinished files that are no longer locked, because the processes that wrote them have ended."""
    for path in folder.glob(f".*{_SUFFIX}"):
        # OSError: the file is being written, or it belongs to another user.
        with contextlib.suppress(OSError), path.open("r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
            log.warning("backup.abandoned_file_deleted", file=str(path))


def flush_to_disk(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _flush_folder_to_disk(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
