"""Tests that `restore_hotel` restores nothing from files that are not backups or that were changed."""

import random
import re
import zipfile
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError

from locks import services as rooms
from tenants.context import hotel_context
from tenants.lifecycle.backup import archive
from tenants.lifecycle.backup.errors import CorruptBackup, InvalidBackup, UnsupportedBackupVersion
from tenants.models import Hotel
from tests.tenants.backups import DatabaseState, backup, restore

pytestmark = pytest.mark.django_db(transaction=True)


def test_restore_hotel_from_a_missing_file_fails_with_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be read: No such file") as caught:
        restore(tmp_path / "nothing.hotel")
    assert caught.value.returncode == 2
    with pytest.raises(CommandError, match="cannot be read: Is a directory"):
        restore(tmp_path)


@pytest.mark.parametrize(
    "content", [b"", b"-- PostgreSQL database dump\n", b"PK\x03\x04" + b"\0" * 600, bytes(70_000)]
)
def test_restore_hotel_from_an_unrelated_file_is_refused(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with pytest.raises(CommandError, match="is not a file that `backup_hotel` wrote"):
        restore(file)


def test_restore_hotel_from_an_unrelated_zip_file_is_refused(file: Path) -> None:
    with zipfile.ZipFile(file, "w") as packed:
        packed.writestr("manifest.json", "{}")
    with pytest.raises(CommandError, match="is not a file that `backup_hotel` wrote"):
        restore(file)


def test_restore_hotel_from_a_truncated_file_is_refused(sol: Hotel, file: Path) -> None:
    backup(file, "sol")
    content, state = file.read_bytes(), DatabaseState()
    for length in (200, len(content) // 2, len(content) - 65, len(content) - 1):
        file.write_bytes(content[:length])
        with pytest.raises(CommandError, match=r"truncated|checksum"):
            restore(file, slug="sol-copy")
    assert state.is_unchanged()


def test_flipped_bit_anywhere_in_a_backup_file_is_detected(sol: Hotel, file: Path) -> None:
    backup(file, "sol")
    content, generator = file.read_bytes(), random.Random(7)  # noqa: S311
    for position in [0, 70, len(content) - 1, len(content) - 70, *generator.sample(range(len(content)), 60)]:
        changed = bytearray(content)
        changed[position] ^= 1 << generator.randrange(8)
        file.write_bytes(changed)
        with (
            pytest.raises((CorruptBackup, InvalidBackup, UnsupportedBackupVersion)),
            archive.open_backup(file),
        ):
            pass


def test_restore_hotel_from_a_later_file_format_names_the_required_version(sol: Hotel, file: Path) -> None:
    backup(file, "sol")
    file.write_bytes(
        file.read_bytes().replace(
            b"format 1, made by hotelagent 0.1.0", b"format 2, made by hotelagent 3.2.1"
        )
    )
    with pytest.raises(CommandError, match=r"Restore the file with hotelagent 3\.2\.1 or later"):
        restore(file, slug="sol-copy")


def forge(file: Path, change: Any) -> None:
    """Apply `change` to the files in the backup, and store a digest that matches the changed content."""
    with zipfile.ZipFile(file) as archive_file:
        members = {name: archive_file.read(name) for name in archive_file.namelist()}
    change(members)
    with file.open("w+b") as out:
        with zipfile.ZipFile(out, "w") as archive_file:
            archive_file.comment = b"sha256:" + b"0" * 64
            for name, content in members.items():
                archive_file.writestr(zipfile.ZipInfo(name), content)
        digest, _whole = archive._compute_digests(out)
        out.seek(-64, 2)
        out.write(digest.encode())


def test_restore_hotel_with_rows_that_differ_from_the_manifest_leaves_nothing_behind(
    sol: Hotel, file: Path
) -> None:
    with hotel_context(sol):
        rooms.ensure_rooms({"single": 2})
    backup(file, "sol")

    def change(members: dict[str, bytes]) -> None:
        members["rows/locks_room"] = members["rows/locks_room"].replace(b"single", b"double")

    forge(file, change)
    state = DatabaseState()
    with pytest.raises(CommandError, match="These restored tables differ from the backup: locks_room"):
        restore(file, slug="sol-copy")
    assert state.is_unchanged()


def test_restore_hotel_with_sql_that_the_database_refuses_leaves_nothing_behind(
    sol: Hotel, file: Path
) -> None:
    """A backup from a newer server can contain SQL that an older server refuses."""
    backup(file, "sol")

    def change(members: dict[str, bytes]) -> None:
        members["schema/after.sql"] += b"\nALTER TABLE nonsense FROM THE FUTURE;"
        members["manifest.json"] = re.sub(
            rb'"server_version": \d+', b'"server_version": 990001', members["manifest.json"]
        )

    forge(file, change)
    state = DatabaseState()
    with pytest.raises(CommandError, match=r"(?s)nonsense.*Nothing was restored.*comes from PostgreSQL 99"):
        restore(file, slug="sol-copy")
    assert state.is_unchanged()


def test_restore_hotel_with_an_incomplete_manifest_is_refused(sol: Hotel, file: Path) -> None:
    backup(file, "sol")

    def change(members: dict[str, bytes]) -> None:
        members["manifest.json"] = b'{"tables": [], "sequences": [], "shared": []}'

    forge(file, change)
    with pytest.raises(CommandError, match="manifest"):
        restore(file)
