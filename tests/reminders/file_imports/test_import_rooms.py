"""Tests of the command `import_rooms`."""

import gzip
import io
import json
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from django.core.management import CommandError, call_command

from locks.models import Room
from tenants.context import hotel_context
from tenants.models import Hotel

pytestmark = pytest.mark.django_db


def run(file: Path, text: str | bytes, *options: str) -> tuple[int, dict[str, Any]]:
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    out = io.StringIO()
    code = 0
    try:
        call_command("import_rooms", str(file), "--hotel", "alpha", "--json", *options, stdout=out)
    except SystemExit as end:
        code = int(end.code or 0)
    return code, json.loads(out.getvalue())


def count(hotel: Hotel) -> int:
    with hotel_context(hotel):
        return Room.objects.count()


def test_import_rooms_adds_rooms_and_changes_nothing_when_repeated(hotel: Hotel, tmp_path: Path) -> None:
    text = "number,type,floor,capacity\n101,double,1,2\n102,suite,,\n"
    assert run(tmp_path / "rooms.csv", text) == (
        0,
        {"rows": 2, "added": 2, "already_there": 0, "rejected": [], "dry_run": False},
    )
    assert run(tmp_path / "rooms.csv", text)[1]["already_there"] == 2
    with hotel_context(hotel):
        suite = Room.objects.get(number="102")
    assert (suite.room_type, suite.floor, suite.capacity) == ("suite", None, 2)


def test_import_rooms_adds_valid_rows_and_reports_the_lines_of_invalid_rows(
    hotel: Hotel, tmp_path: Path
) -> None:
    rows = [
        "101,double,1,2",
        "102,double,first,2",
        "103,double,1,0",
        ",double,1,2",
        "101,suite,1,2",
        "104,,1,2",
    ]
    code, result = run(tmp_path / "rooms.csv", "\n".join(["number,type,floor,capacity", *rows]))
    assert code == 0
    assert [problem["line"] for problem in result["rejected"]] == [3, 4, 5, 6, 7]
    assert result["added"] == count(hotel) == 1
    code, result = run(tmp_path / "rooms.csv", "number,type\n,double\n")
    assert (code, result["added"], len(result["rejected"])) == (1, 0, 1)


def test_import_rooms_with_dry_run_stores_nothing(hotel: Hotel, tmp_path: Path) -> None:
    _code, result = run(tmp_path / "rooms.csv", "number,type\n101,double\n", "--dry-run")
    assert (result["added"], count(hotel)) == (1, 0)


def test_import_rooms_with_a_missing_file_or_missing_columns_exits_with_code_1(
    hotel: Hotel, tmp_path: Path
) -> None:
    with pytest.raises(CommandError) as error:
        run(tmp_path / "rooms.csv", "room;kind\n1;x\n")
    assert error.value.returncode == 1
    with pytest.raises(CommandError) as error:
        call_command("import_rooms", str(tmp_path / "none.csv"), "--hotel", "alpha")
    assert error.value.returncode == 1


def workbook_of_rooms() -> bytes:
    book, stream = openpyxl.Workbook(), io.BytesIO()
    sheet = book.active
    assert sheet is not None
    for row in (["Rooms of the hotel"], [], ["Number", "Type", "Floor"], [101, "Tür", 1]):
        sheet.append(row)
    book.save(stream)
    return stream.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        "Number;Type;Floor\n101;Tür;1\n".encode("cp1252"),
        "Number\tType\tFloor\n101\tTür\t1\n".encode("utf-16"),
        gzip.compress("sep=|\nNumber|Type|Floor\n101|Tür|1\n".encode()),
        '{"number": 101, "type": "Tür", "floor": 1}\n'.encode(),
        workbook_of_rooms(),
    ],
    ids=["semicolons in Windows-1252", "tabs in UTF-16", "gzip with sep= line", "JSON Lines", "Excel"],
)
def test_import_rooms_accepts_all_file_formats_that_the_admin_page_accepts(
    hotel: Hotel, tmp_path: Path, content: bytes
) -> None:
    assert run(tmp_path / "rooms", content)[1]["added"] == 1
    with hotel_context(hotel):
        assert list(Room.objects.values_list("number", "room_type", "floor")) == [("101", "Tür", 1)]


def test_import_rooms_with_a_pdf_file_exits_with_code_1(hotel: Hotel, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="PDF document") as error:
        run(tmp_path / "rooms.csv", b"%PDF-1.7")
    assert error.value.returncode == 1
