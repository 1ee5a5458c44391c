"""A file that is no backup, or no longer the one that was written, is found out before anything is restored."""

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
from tests.tenants.backups import Traces, backup, restore

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="can't be read: No such file") as caught:
        restore(tmp_path / "nothing.hotel")
    assert caught.value.returncode == 2
    with pytest.raises(CommandError, match="can't be read: Is a directory"):
        restore(tmp_path)


@pytest.mark.parametrize(
    "content", [b"", b"-- PostgreSQL database dump\n", b"PK\x03\x04" + b"\0" * 600, bytes(70_000)]
)
def test_another_file_is_no_backup(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with pytest.raises(CommandError, match="is not a file that `backup_hotel` wrote"):
        restore(file)


def test_another_zip_is_no_backup(file: Path) -> None:
    with zipfile.ZipFile(file, "w") as packed:
        packed.writestr("manifest.json", "{}")
    with pytest.raises(CommandError, match="is not a file that `backup_hotel` wrote"):
        restore(file)


def test_a_truncated_file_is_told_wherever_it_ends(sol: Hotel, file: Path) -> None:
    backup(file, "sol")
    whole, traces = file.read_bytes(), Traces()
    for kept in (200, len(whole) // 2, len(whole) - 65, len(whole) - 1):
        file.write_bytes(whole[:kept])
        with pytest.raises(CommandError, match=r"cut off|checksum"):
            restore(file, slug="sol-copy")
    assert traces.are_none()


def test_one_flipped_bit_is_found_wherever_it_is(sol: Hotel, file: Path) -> None:
    backup(file, "sol")
    whole, chance = file.read_bytes(), random.Random(7)  # noqa: S311
    for place in [0, 70, len(whole) - 1, len(whole) - 70, *chance.sample(range(len(whole)), 60)]:
        changed = bytearray(whole)
        changed[place] ^= 1 << chance.randrange(8)
        file.write_bytes(changed)
        with (
            pytest.raises((CorruptBackup, InvalidBackup, UnsupportedBackupVersion)),
            archive.open_backup(file),
        ):
            pass


def test_a_later_format_says_which_version_reads_it(sol: Hotel, file: Path) -> None:
    backup(file, "sol")
    file.write_bytes(
        file.read_bytes().replace(
            b"format 1, made by hotelagent 0.1.0", b"format 2, made by hotelagent 3.2.1"
        )
    )
    with pytest.raises(CommandError, match=r"Restore it with hotelagent 3\.2\.1 or later"):
        restore(file, slug="sol-copy")


def forge(file: Path, change: Any) -> None:
    """The backup with other members, and seals that fit them: what a checksum can't find."""
    with zipfile.ZipFile(file) as packed:
        members = {name: packed.read(name) for name in packed.namelist()}
    change(members)
    with file.open("w+b") as out:
        with zipfile.ZipFile(out, "w") as packed:
            packed.comment = b"sha256:" + b"0" * 64
            for name, content in members.items():
                packed.writestr(zipfile.ZipInfo(name), content)
        seal, _whole = archive._compute_digests(out)
        out.seek(-64, 2)
        out.write(seal.encode())


def test_rows_that_are_not_those_of_the_manifest_are_found(sol: Hotel, file: Path) -> None:
    with hotel_context(sol):
        rooms.ensure_rooms({"single": 2})
    backup(file, "sol")

    def change(members: dict[str, bytes]) -> None:
        members["rows/locks_room"] = members["rows/locks_room"].replace(b"single", b"double")

    forge(file, change)
    traces = Traces()
    with pytest.raises(CommandError, match="these tables differ from the file: locks_room"):
        restore(file, slug="sol-copy")
    assert traces.are_none()


def test_what_the_database_refuses_leaves_nothing(sol: Hotel, file: Path) -> None:
    """As a newer server's SQL would on an older one."""
    backup(file, "sol")

    def change(members: dict[str, bytes]) -> None:
        members["schema/after.sql"] += b"\nALTER TABLE nonsense FROM THE FUTURE;"
        members["manifest.json"] = re.sub(
            rb'"server_version": \d+', b'"server_version": 990001', members["manifest.json"]
        )

    forge(file, change)
    traces = Traces()
    with pytest.raises(CommandError, match=r"(?s)nonsense.*Nothing is restored.*comes from PostgreSQL 99"):
        restore(file, slug="sol-copy")
    assert traces.are_none()


def test_a_manifest_that_makes_no_sense_is_told(sol: Hotel, file: Path) -> None:
    backup(file, "sol")

    def change(members: dict[str, bytes]) -> None:
        members["manifest.json"] = b'{"tables": [], "sequences": [], "shared": []}'

    forge(file, change)
    with pytest.raises(CommandError, match="manifest"):
        restore(file)
