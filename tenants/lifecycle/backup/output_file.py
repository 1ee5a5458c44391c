"""The output file of a backup, of an export of the audit trail, or of a new signing key.

Only the owner can read the file, and the file exists only if it is complete.
"""

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

#: The suffix of unfinished backup files. No other program uses this suffix, so files with it can be deleted safely.
_SUFFIX = ".hotelagent-part"


def refuse_existing_file(path: Path, *, overwrite: bool) -> None:
    """Raise BackupConflict if the path is a folder, or a file that must not be overwritten."""
    if path.is_dir():
        raise BackupConflict(f"{path} is a folder. Name a file in it.")
    if path.exists() and not overwrite:
        raise BackupConflict(f"{path} already exists. Name another file, or use --force to overwrite it.")


@contextlib.contextmanager
def new_file(path: Path) -> Iterator[tuple[BinaryIO, Path]]:
    """Create a temporary file in the folder of `path`. Yield the open file and the path of the temporary file.

    Only the owner of the file can read the file. The file is deleted on exit unless it was renamed. The next backup to
    the same folder deletes the file of a killed process.
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
        # On a file system without support for locks, flock() raises OSError, and unfinished files are never deleted.
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return descriptor, name
        # Another process deleted the new file before this process could lock it, so create another file.
        os.close(descriptor)


def _delete_abandoned_files(folder: Path) -> None:
    """Delete unfinished backup files that no process has locked, because their writers have ended."""
    for path in folder.glob(f".*{_SUFFIX}"):
        # OSError means that another process is writing the file, or that the file belongs to another user.
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
