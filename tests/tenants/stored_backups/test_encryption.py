"""Tests of the encryption of backups: altered and truncated files are refused, and large files need little memory."""

import io
import stat
import tracemalloc
from pathlib import Path
from typing import Any, BinaryIO, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenants.lifecycle.stored_backups.age_encryption import create_key_file, decrypt, encrypt
from tenants.lifecycle.stored_backups.errors import InvalidBackupSettings, UnreadableBackup

#: A plain text that is longer than three chunks. In the file format age, a chunk has 64 KiB.
PLAIN = bytes(range(256)) * 800


def encrypted(plain: bytes = PLAIN) -> bytes:
    target = io.BytesIO()
    encrypt(io.BytesIO(plain), target)
    return target.getvalue()


def decrypted(data: bytes) -> bytes:
    target = io.BytesIO()
    decrypt(io.BytesIO(data), target, name="backup")
    return target.getvalue()


def test_decryption_returns_what_was_encrypted(key_file: Path) -> None:
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    for plain in (b"", b"a", PLAIN):
        assert decrypted(encrypted(plain)) == plain
    assert PLAIN[:100] not in encrypted()


def test_decryption_of_an_altered_truncated_or_extended_file_is_refused(key_file: Path) -> None:
    whole = encrypted()

    @given(st.integers(0, len(whole) - 1), st.integers(1, 255))
    def refuse(position: int, change: int) -> None:
        altered = whole[:position] + bytes([whole[position] ^ change]) + whole[position + 1 :]
        for damaged in (altered, whole[:position], whole + bytes([change])):
            with pytest.raises(UnreadableBackup):
                decrypted(damaged)

    refuse()


def test_decryption_with_another_key_is_refused(key_file: Path, tmp_path: Path) -> None:
    data = encrypted()
    key_file.unlink()
    create_key_file(key_file)
    with pytest.raises(UnreadableBackup, match="encrypted for another key"):
        decrypted(data)


def test_private_key_among_the_recipients_is_refused_without_showing_it(
    key_file: Path, settings: Any
) -> None:
    secret = key_file.read_text().splitlines()[1]
    settings.BACKUP_RECIPIENTS = [secret]
    with pytest.raises(InvalidBackupSettings) as caught:
        encrypted()
    assert secret not in str(caught.value)


def test_key_file_is_never_overwritten(key_file: Path) -> None:
    before = key_file.read_text()
    with pytest.raises(InvalidBackupSettings, match="already exists"):
        create_key_file(key_file)
    assert key_file.read_text() == before


class Endless(io.RawIOBase):
    """A file for reading with 64 MiB of zeros."""

    remaining = 64 << 20

    def read(self, size: int = -1) -> bytes:
        size = min(size, self.remaining)
        self.remaining -= size
        return bytes(size)


class Sink(io.RawIOBase):
    """A file for writing that counts its bytes, and raises an error after `limit` bytes."""

    def __init__(self, limit: int = 1 << 62) -> None:
        self.size, self.limit = 0, limit

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self.size += len(data)
        if self.size > self.limit:
            raise OSError(28, "No space left on device")
        return len(data)


def test_encryption_of_a_large_file_needs_little_memory(key_file: Path) -> None:
    sink = Sink()
    tracemalloc.start()
    encrypt(cast("BinaryIO", Endless()), cast("BinaryIO", sink))
    _current, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert sink.size > 64 << 20
    assert peak < 2 << 20


def test_error_while_the_encrypted_file_is_written_is_raised_unchanged(key_file: Path) -> None:
    with pytest.raises(OSError, match="No space left on device"):
        encrypt(cast("BinaryIO", Endless()), cast("BinaryIO", Sink(limit=1 << 20)))
