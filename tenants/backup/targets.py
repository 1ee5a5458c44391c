"""The file on disk that a backup is written to: private, whole or not there, and nobody else's."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from tenants.backup.errors import BackupRefused


def refuse(path: Path, *, overwrite: bool) -> None:
    if path.is_dir():
        raise BackupRefused(f"{path} is a folder. Name a file in it.")
    if path.exists() and not overwrite:
        raise BackupRefused(f"{path} is there already. Name another file, or say --force.")


@contextlib.contextmanager
def new_file(path: Path) -> Iterator[tuple[BinaryIO, Path]]:
    """A file beside `path` that only we may read; gone at the end unless it was moved."""
    number, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(number, "w+b") as file:
            yield file, Path(name)
            _folder_to_disk(path.parent)
    finally:
        Path(name).unlink(missing_ok=True)


def to_disk(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _folder_to_disk(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
