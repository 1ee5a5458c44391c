"""The file format of a backup: a ZIP file whose comment ends with the SHA-256 of all bytes before it.

The digest detects a change to any byte of the file. The files in the ZIP file are:

    hotelagent-backup     the version of the format
    schema/*.sql          the tables, keys, indexes and triggers
    rows/<table>          the rows of a hotel's table
    shared/<table>        the hotel's rows of a shared table
    manifest.json         the digests of the other files
"""

import contextlib
import hashlib
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, BinaryIO, Self

from django.conf import settings

from tenants.lifecycle.backup.errors import CorruptBackup, InvalidBackup, UnsupportedBackupVersion
from tenants.lifecycle.backup.manifest import Manifest

#: The version of the backup file format. Increase it with each change after which older files can't be read.
FORMAT = 1

_HEADER = "hotelagent-backup"
_MANIFEST = "manifest.json"
_DIGEST_PREFIX = b"sha256:"
_DIGEST_LENGTH = 64
_FILE_START = re.compile(
    rb"PK\x03\x04.{26}"
    + _HEADER.encode()
    + rb".*?hotel backup, format (\d+), made by hotelagent ([\w.+-]+)\n",
    re.DOTALL,
)
_CHUNK_SIZE = 1 << 20


class RowDigest:
    """An object that counts the rows of a table and computes the SHA-256 of the rows in COPY's text format.

    Each row is one line, because COPY escapes line breaks inside values.
    """

    def __init__(self) -> None:
        self.rows = 0
        self._digest = hashlib.sha256()

    def add(self, data: bytes | memoryview) -> None:
        self.rows += bytes(data).count(b"\n")
        self._digest.update(data)

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()


class Writer:
    """A context manager that writes the members of a backup's ZIP file one after another.

    The file is valid only after `finish()` has been called.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.zip = zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=4)
        self.zip.comment = _DIGEST_PREFIX + b"0" * _DIGEST_LENGTH
        self.zip.writestr(
            zipfile.ZipInfo(_HEADER),
            f"hotel backup, format {FORMAT}, made by hotelagent {settings.VERSION}\n",
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # Close the ZIP file now. Otherwise the garbage collector would close it later and write to a closed file.
        with contextlib.suppress(OSError):
            self.zip.close()

    def write_text(self, name: str, text: str) -> str:
        """Add a text file to the ZIP file and return the SHA-256 of the text."""
        data = text.encode()
        self.zip.writestr(name, data)
        return hashlib.sha256(data).hexdigest()

    @contextlib.contextmanager
    def open_member(self, name: str) -> Iterator[IO[bytes]]:
        with self.zip.open(name, "w", force_zip64=True) as stream:
            yield stream

    def finish(self, manifest: Manifest) -> str:
        """Write the manifest, and the digest at the end of the file. Return the SHA-256 of the whole file.

        The program `sha256sum` prints the same SHA-256 for the file.
        """
        self.zip.writestr(_MANIFEST, json.dumps(manifest.as_json(), indent=1))
        self.zip.close()
        self.file.flush()
        digest, whole = _compute_digests(self.file)
        self.file.seek(-_DIGEST_LENGTH, 2)
        self.file.write(digest.encode())
        whole.update(digest.encode())
        return whole.hexdigest()


class Reader:
    """A reader for a backup file whose digest has been verified by `open_backup`."""

    def __init__(self, archive: zipfile.ZipFile, sha256: str) -> None:
        self.zip = archive
        self.sha256 = sha256
        self.manifest = Manifest.from_json(json.loads(archive.read(_MANIFEST)))

    def read_text(self, name: str) -> str:
        return self.zip.read(name).decode()

    def verify_rows(self) -> None:
        """Read all rows of the backup. Raises CorruptBackup if the rows of a table differ from the manifest."""
        manifest = self.manifest
        for folder, tables in (("rows", manifest.tables), ("shared", manifest.shared)):
            for table in tables:
                digest = RowDigest()
                for chunk in self.read_chunks(f"{folder}/{table.name}"):
                    digest.add(chunk)
                if (digest.rows, digest.sha256) != (table.rows, table.sha256):
                    raise CorruptBackup(f"The rows of {table.name} differ from the manifest of the backup.")

    def read_chunks(self, name: str) -> Iterator[bytes]:
        with self.zip.open(name) as stream:
            while chunk := stream.read(_CHUNK_SIZE):
                yield chunk


@contextlib.contextmanager
def open_backup(path: Path) -> Iterator[Reader]:
    """Verify the digest of a backup file and open the file.

    Raises InvalidBackup, UnsupportedBackupVersion, CorruptBackup.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise InvalidBackup(f"{path} cannot be read: {error.strerror}.") from error
    with file, read_backup(file, name=str(path)) as reader:
        yield reader


@contextlib.contextmanager
def read_backup(file: BinaryIO, *, name: str) -> Iterator[Reader]:
    """Verify the digest of an open backup file, and yield its reader. `name` is the file's name in error messages.

    Raises InvalidBackup, UnsupportedBackupVersion, CorruptBackup.
    """
    try:
        file.seek(0)
        _check_format(file, name)
        sha256 = _verify_digest(file, name)
    except OSError as error:
        raise InvalidBackup(f"{name} cannot be read: {error.strerror}.") from error
    with zipfile.ZipFile(file) as archive:
        yield Reader(archive, sha256)


def _check_format(file: BinaryIO, name: str) -> None:
    start = _FILE_START.match(file.read(512))
    if start is None:
        raise InvalidBackup(f"{name} is not a file that `backup_hotel` wrote.")
    if int(start[1]) > FORMAT:
        version = start[2].decode()
        raise UnsupportedBackupVersion(
            f"{name} has format {int(start[1])}. This version of hotelagent ({settings.VERSION}) supports formats up "
            f"to {FORMAT}. Restore the file with hotelagent {version} or later.",
            version=version,
        )


def _verify_digest(file: BinaryIO, name: str) -> str:
    """Raise CorruptBackup if the digest at the end of the file is wrong. Return the SHA-256 of the whole file."""
    expected, whole = _compute_digests(file)
    file.seek(-(_DIGEST_LENGTH + len(_DIGEST_PREFIX)), 2)
    end = file.read()
    if not end.startswith(_DIGEST_PREFIX) or not re.fullmatch(
        rb"[0-9a-f]{64}", end.removeprefix(_DIGEST_PREFIX)
    ):
        raise CorruptBackup(
            f"{name} is truncated: its end is missing. Copy the file again from its source, or create a new backup."
        )
    if end.removeprefix(_DIGEST_PREFIX) != expected.encode():
        raise CorruptBackup(
            f"{name} was changed after it was written: its checksum is wrong. Copy the file again from its source, or "
            "create a new backup."
        )
    whole.update(expected.encode())
    return whole.hexdigest()


def _compute_digests(file: BinaryIO) -> "tuple[str, hashlib._Hash]":
    """Return the SHA-256 of the file without the digest at its end, and the hash object that computed the SHA-256.

    The caller can update the hash object with the digest to get the SHA-256 of the whole file.
    """
    remaining = max(file.seek(0, 2) - _DIGEST_LENGTH, 0)
    file.seek(0)
    digest = hashlib.sha256()
    while remaining and (chunk := file.read(min(_CHUNK_SIZE, remaining))):
        digest.update(chunk)
        remaining -= len(chunk)
    return digest.hexdigest(), digest.copy()
