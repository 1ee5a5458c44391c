"""The file itself: a ZIP whose comment ends in the SHA-256 of every byte before it.

    hotelagent-backup       which format this is, in words; the first member, so that a file that is cut off tells too
    schema/before.sql       tables, and schema/after.sql: keys, constraints, triggers
    rows/<table>            the text of COPY, a row a line; shared/<table> as well
    manifest.json           last: it has the digests of the others

`unzip -l` shows it, and nothing but this module can write the digest, so a byte that anything changed is found.
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

from tenants.lifecycle.backup.errors import BackupDamaged, BackupTooNew, NotABackup
from tenants.lifecycle.backup.manifest import Manifest

#: Grows when this code could no longer read what it wrote before, or the other way round.
FORMAT = 1

_MARK = "hotelagent-backup"
_MANIFEST = "manifest.json"
_SEAL = b"sha256:"
_DIGITS = 64
_BEGINNING = re.compile(
    rb"PK\x03\x04.{26}" + _MARK.encode() + rb".*?hotel backup, format (\d+), made by hotelagent ([\w.+-]+)\n",
    re.DOTALL,
)
_CHUNK = 1 << 20


class Tally:
    """What passed: rows and digest. COPY's text has one line a row; a line's end inside a value is escaped."""

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
    """Writes members one after another, each as it comes. A context: what fails in it leaves a file of no use."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.zip = zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=4)
        self.zip.comment = _SEAL + b"0" * _DIGITS
        self.zip.writestr(
            zipfile.ZipInfo(_MARK), f"hotel backup, format {FORMAT}, made by hotelagent {settings.VERSION}\n"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # Else it would try to end the file when it is collected, long after that was closed.
        with contextlib.suppress(OSError):
            self.zip.close()

    def text(self, name: str, text: str) -> str:
        """Returns its digest."""
        data = text.encode()
        self.zip.writestr(name, data)
        return hashlib.sha256(data).hexdigest()

    @contextlib.contextmanager
    def member(self, name: str) -> Iterator[IO[bytes]]:
        with self.zip.open(name, "w", force_zip64=True) as stream:
            yield stream

    def finish(self, manifest: Manifest) -> str:
        """Write the manifest and the seal; the SHA-256 of the whole file, as `sha256sum` says it."""
        self.zip.writestr(_MANIFEST, json.dumps(manifest.as_json(), indent=1))
        self.zip.close()
        self.file.flush()
        seal, whole = _digests(self.file)
        self.file.seek(-_DIGITS, 2)
        self.file.write(seal.encode())
        whole.update(seal.encode())
        return whole.hexdigest()


class Reader:
    """A backup that is as it was written: `opened` has looked."""

    def __init__(self, packed: zipfile.ZipFile, sha256: str) -> None:
        self.zip = packed
        self.sha256 = sha256
        self.manifest = Manifest.of(json.loads(packed.read(_MANIFEST)))

    def text(self, name: str) -> str:
        return self.zip.read(name).decode()

    def check_members(self) -> None:
        """Read every row once. Raises BackupDamaged where a member is not what the manifest says."""
        manifest = self.manifest
        for folder, tables in (("rows", manifest.tables), ("shared", manifest.shared)):
            for table in tables:
                tally = Tally()
                for chunk in self.chunks(f"{folder}/{table.name}"):
                    tally.add(chunk)
                if (tally.rows, tally.sha256) != (table.rows, table.sha256):
                    raise BackupDamaged(f"The rows of {table.name} are not what the manifest says.")

    def chunks(self, name: str) -> Iterator[bytes]:
        with self.zip.open(name) as stream:
            while chunk := stream.read(_CHUNK):
                yield chunk


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Reader]:
    """A backup, once every byte of it is known to be right.

    Raises NotABackup, BackupTooNew, BackupDamaged.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise NotABackup(f"{path} can't be read: {error.strerror}.") from error
    with file:
        try:
            _look_at_beginning(file, path)
            whole = _look_at_seal(file, path)
        except OSError as error:
            raise NotABackup(f"{path} can't be read: {error.strerror}.") from error
        with zipfile.ZipFile(file) as packed:
            yield Reader(packed, whole)


def _look_at_beginning(file: BinaryIO, path: Path) -> None:
    beginning = _BEGINNING.match(file.read(512))
    if beginning is None:
        raise NotABackup(f"{path} is not a file that `backup_hotel` wrote.")
    if int(beginning[1]) > FORMAT:
        version = beginning[2].decode()
        raise BackupTooNew(
            f"{path} has format {int(beginning[1])}, and this is hotelagent {settings.VERSION}, which reads up to "
            f"{FORMAT}. Restore it with hotelagent {version} or later.",
            version=version,
        )


def _look_at_seal(file: BinaryIO, path: Path) -> str:
    """The SHA-256 of the whole file."""
    expected, whole = _digests(file)
    file.seek(-(_DIGITS + len(_SEAL)), 2)
    end = file.read()
    if not end.startswith(_SEAL) or not re.fullmatch(rb"[0-9a-f]{64}", end.removeprefix(_SEAL)):
        raise BackupDamaged(
            f"{path} is cut off: its end is missing. Copy it again from where it was made, or take another backup."
        )
    if end.removeprefix(_SEAL) != expected.encode():
        raise BackupDamaged(
            f"{path} is not as it was written: its checksum is wrong. Copy it again from where it was made, or take "
            "another backup."
        )
    whole.update(expected.encode())
    return whole.hexdigest()


def _digests(file: BinaryIO) -> "tuple[str, hashlib._Hash]":
    """The digest of all but the seal's digits, and the same to go on with."""
    left = max(file.seek(0, 2) - _DIGITS, 0)
    file.seek(0)
    digest = hashlib.sha256()
    while left and (chunk := file.read(min(_CHUNK, left))):
        digest.update(chunk)
        left -= len(chunk)
    return digest.hexdigest(), digest.copy()
