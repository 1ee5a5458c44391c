"""Encryption of backups in the age format (https://age-encryption.org/v1), which the program `age` can decrypt too.

The public keys in BACKUP_RECIPIENTS encrypt. Only the private keys in BACKUP_IDENTITY_FILE decrypt, so a machine that
makes backups need not be able to read them. age authenticates each chunk of 64 KiB and marks the last chunk, so an
altered or truncated file is refused.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, TypeVar

import pyrage
from django.conf import settings
from pyrage import x25519

from tenants.lifecycle.stored_backups.errors import InvalidBackupSettings, UnreadableBackup

T = TypeVar("T")


class _Stream:
    """A file for pyrage that keeps the error of a read or write, because pyrage raises another error instead."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.error: BaseException | None = None

    def read(self, size: int = -1) -> bytes:
        return self._call(lambda: self.file.read(size), default=b"")

    def write(self, data: bytes) -> int:
        return self._call(lambda: self.file.write(data), default=0)

    def flush(self) -> None:
        self._call(self.file.flush, default=None)

    def _call(self, function: Callable[[], T], *, default: T) -> T:
        if self.error is not None:
            return default
        try:
            return function()
        except BaseException as error:
            self.error = error
            raise


def read_recipients() -> list[x25519.Recipient]:
    """Return the public keys in BACKUP_RECIPIENTS. Raises InvalidBackupSettings."""
    recipients = []
    for text in settings.BACKUP_RECIPIENTS:
        try:
            recipients.append(x25519.Recipient.from_str(text))
        except pyrage.RecipientError:
            # The error message does not contain the value, which may be a private key that was entered by mistake.
            raise InvalidBackupSettings(
                "BACKUP_RECIPIENTS has a value that is not a public key. Public keys begin with age1. "
                "`manage.py create_backup_key FILE` prints one."
            ) from None
    if not recipients:
        raise InvalidBackupSettings(
            "BACKUP_RECIPIENTS is empty, so backups cannot be encrypted. Run `manage.py create_backup_key FILE`, and "
            "set BACKUP_RECIPIENTS to the public key that it prints."
        )
    return recipients


def read_identities() -> list[x25519.Identity]:
    """Return the private keys in the file BACKUP_IDENTITY_FILE. Raises InvalidBackupSettings."""
    path = settings.BACKUP_IDENTITY_FILE
    if not path:
        raise InvalidBackupSettings(
            "BACKUP_IDENTITY_FILE is not set, so backups cannot be decrypted. Set it to the file that "
            "`manage.py create_backup_key` wrote."
        )
    try:
        lines = Path(path).read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it does not contain text"
        raise InvalidBackupSettings(f"BACKUP_IDENTITY_FILE: {path} cannot be read: {reason}.") from None
    keys = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    try:
        identities = [x25519.Identity.from_str(key) for key in keys]
    except pyrage.IdentityError:
        identities = []
    if not identities:
        raise InvalidBackupSettings(
            f"BACKUP_IDENTITY_FILE: {path} does not contain private keys of age, one per line, that begin with "
            "AGE-SECRET-KEY-1."
        )
    return identities


def create_key_file(path: Path) -> str:
    """Write a new private key to a file that only its owner can read. Return the public key.

    Raises InvalidBackupSettings if the file exists or cannot be written.
    """
    identity = x25519.Identity.generate()
    public_key = str(identity.to_public())
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise InvalidBackupSettings(f"{path} already exists. Name another file.") from None
    except OSError as error:
        raise InvalidBackupSettings(f"{path} cannot be written: {error.strerror}.") from None
    with os.fdopen(descriptor, "w") as file:
        file.write(f"# public key: {public_key}\n{identity}\n")
        file.flush()
        os.fsync(file.fileno())
    return public_key


def encrypt(source: BinaryIO, target: BinaryIO) -> None:
    """Encrypt everything that can be read from `source`, in constant memory.

    Raises InvalidBackupSettings, and the errors of both files.
    """
    recipients = read_recipients()
    reader, writer = _Stream(source), _Stream(target)
    try:
        pyrage.encrypt_io(reader, writer, recipients)
    except BaseException:
        _raise_first_error(reader, writer)
        raise
    _raise_first_error(reader, writer)


def decrypt(source: BinaryIO, target: BinaryIO, *, name: str) -> None:
    """Decrypt `source` in constant memory. Use what was written to `target` only if no error is raised.

    Raises UnreadableBackup, InvalidBackupSettings, and the errors of both files.
    """
    identities = read_identities()
    reader, writer = _Stream(source), _Stream(target)
    try:
        pyrage.decrypt_io(reader, writer, identities)
    except BaseException as error:
        _raise_first_error(reader, writer)
        if not isinstance(error, OSError | pyrage.DecryptError):
            raise
        raise UnreadableBackup(
            f"{name} cannot be decrypted. It was truncated or changed, or it was encrypted for another key than those "
            "in BACKUP_IDENTITY_FILE."
        ) from None
    _raise_first_error(reader, writer)


def _raise_first_error(*streams: _Stream) -> None:
    for stream in streams:
        if stream.error is not None:
            raise stream.error
