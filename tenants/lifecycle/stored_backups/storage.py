"""The storage of backups: a folder, or a bucket of S3-compatible storage.

An object becomes visible under its name only when it is complete. If the process is killed while it writes, the
storage contains nothing under that name.
"""

import contextlib
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO, Protocol
from urllib.parse import unquote

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from hotelagent.core import service_urls
from hotelagent.core.service_urls import InvalidServiceURL, ServiceURL
from tenants.lifecycle.backup import output_file
from tenants.lifecycle.stored_backups.errors import (
    BackupStorageUnavailable,
    InvalidBackupSettings,
    StoredBackupNotFound,
)

_EXAMPLE = "file:///var/backups/hotelagent, or s3://key:secret@bucket/folder?endpoint_url=https://s3.example"


class Storage(Protocol):
    """A store of named objects. All methods raise BackupStorageUnavailable if the storage refuses or fails."""

    #: The folder or URL of the storage, without passwords, for error messages.
    place: str

    def open_writer(self, name: str) -> AbstractContextManager[BinaryIO]:
        """Return a context manager for a file. On exit without an error, its content is stored under `name`."""

    def open_reader(self, name: str) -> AbstractContextManager[BinaryIO]:
        """Return a context manager for a file with the object's bytes. Raises StoredBackupNotFound."""

    def list_objects(self, prefix: str) -> Iterable[tuple[str, int]]:
        """Return the names and sizes of all complete objects whose names begin with `prefix`."""

    def delete(self, name: str) -> None:
        """Delete the object if it exists."""

    def delete_abandoned_uploads(self, prefix: str) -> int:
        """Delete the incomplete objects of killed processes. Return the number of deleted objects."""


class FolderStorage:
    """A folder on a disk. Only the user who makes backups can read its files."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.place = str(root)

    @contextlib.contextmanager
    def open_writer(self, name: str) -> Iterator[BinaryIO]:
        path = self.root / name
        with self._translate_errors():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with output_file.new_file(path) as (file, temporary_path):
                yield file
                output_file.flush_to_disk(file)
                temporary_path.replace(path)

    @contextlib.contextmanager
    def open_reader(self, name: str) -> Iterator[BinaryIO]:
        with self._translate_errors():
            try:
                file = (self.root / name).open("rb")
            except FileNotFoundError:
                raise StoredBackupNotFound(f"{self.place} does not contain {name}.") from None
        with file:
            yield file

    def list_objects(self, prefix: str) -> Iterable[tuple[str, int]]:
        folder = self.root / prefix
        with self._translate_errors():
            # A folder that does not exist yet has no backups. Another error, such as a missing mount, is raised.
            self.root.stat()
            return [
                (str(path.relative_to(self.root)), path.stat().st_size)
                for path in sorted(folder.rglob("*"))
                if path.is_file() and not path.name.startswith(".")
            ]

    def delete(self, name: str) -> None:
        with self._translate_errors():
            (self.root / name).unlink(missing_ok=True)

    def delete_abandoned_uploads(self, prefix: str) -> int:  # noqa: ARG002 - the parameter is that of S3Storage
        """Return 0, because each new backup deletes the unfinished files in its folder (see `output_file`)."""
        return 0

    @contextlib.contextmanager
    def _translate_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise BackupStorageUnavailable(
                f"{self.place}: {error.strerror or error}. Check that the folder of BACKUP_URL exists, that this user "
                "may write to it, and that its disk is not full. Nothing incomplete was stored."
            ) from error


def is_configured() -> bool:
    """Return whether this deployment stores backups."""
    return bool(settings.BACKUP_URL)


def get_storage() -> Storage:
    """Return the storage that BACKUP_URL names. Raises InvalidBackupSettings."""
    if not is_configured():
        raise InvalidBackupSettings(f"BACKUP_URL is not set. Set it to {_EXAMPLE}.")
    try:
        url = service_urls.parse(
            settings.BACKUP_URL, variable="BACKUP_URL", schemes=("file", "s3"), example=_EXAMPLE
        )
    except InvalidServiceURL as error:
        raise InvalidBackupSettings(str(error)) from None
    if url.scheme == "file":
        return FolderStorage(_folder_of(url))
    # The client of S3 needs seconds to import, and only deployments that use S3 have it.
    from tenants.lifecycle.stored_backups.s3_storage import S3Storage  # noqa: PLC0415

    try:
        return S3Storage.from_url(url)
    except ImproperlyConfigured as error:
        raise InvalidBackupSettings(str(error)) from None


def _folder_of(url: ServiceURL) -> Path:
    path = Path(unquote(url.path))
    if url.authority or url.query or path == Path("/"):
        raise InvalidBackupSettings(
            "BACKUP_URL must have three slashes and an absolute path, as in file:///var/backups/hotelagent."
        )
    return path
