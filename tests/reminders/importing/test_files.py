"""Tests of importing bookings from Excel workbooks and JSON Lines files, and of rejecting files that can't be read."""

import datetime
import gzip
import io
import json
from pathlib import Path

import openpyxl
import pytest

from reminders.errors import InvalidFile
from reminders.models import Reservation
from reminders.reservations.importing.files import BookingsFile
from reminders.reservations.importing.importer import Importer
from reminders.reservations.importing.inspection import ImportOptions, inspect_file
from reminders.reservations.importing.report import ImportReport
from tenants.models import Hotel
from tests.reminders.importing.test_vendor_exports import EXPORTS
from tests.reminders.test_import_reservations import run

BOOKING = {
    "id": "A",
    "arrival": "2030-05-10",
    "departure": "2030-05-12",
    "adults": 2,
    "guest": {"name": "Ana"},
}


def workbook(path: Path) -> Path:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["Arrivals of May"])
    sheet.append([])
    sheet.append(["id", "arrival", "departure", "adults", "phone"])
    sheet.append(
        [
            1001,
            datetime.date(2030, 5, 10),
            datetime.datetime.fromisoformat("2030-05-12T11:00"),
            2.0,
            34600123456,
        ]
    )
    sheet.append(["B", "2030-05-10", 47615, "2", None])
    sheet.append(["Total", None, None, 4, None])
    book.save(path)
    return path


@pytest.mark.django_db
def test_excel_workbook_with_dates_and_numbers_is_imported(in_hotel: Hotel, tmp_path: Path) -> None:
    report = run(workbook(tmp_path / "arrivals.xlsx"))
    assert (report["rows"], report["created"], report["left_out"]) == (2, 2, 0)
    stored = {r.external_id: (f"{r.arrival}", f"{r.departure}", r.adults) for r in Reservation.objects.all()}
    assert stored == {"1001": ("2030-05-10", "2030-05-12", 2), "B": ("2030-05-10", "2030-05-12", 2)}
    assert Reservation.objects.get(external_id="1001").guest_phone == "34600123456"


@pytest.mark.django_db
def test_json_lines_file_is_imported_except_for_a_damaged_line(in_hotel: Hotel, tmp_path: Path) -> None:
    path = tmp_path / "bookings.jsonl"
    second = BOOKING | {"id": "B", "guest": {"name": None}, "adults": None}
    path.write_text("\n".join([json.dumps(BOOKING), "{broken", json.dumps(second), ""]))
    report = run(path, columns=["guest_name=guest.name"], rejects=tmp_path / "errors.csv")
    assert (report["created"], report["rejected_by_reason"]) == (2, {"too few columns": 1})
    assert {r.external_id: r.guest_name for r in Reservation.objects.all()} == {"A": "Ana", "B": ""}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xd0\xcf\x11\xe0" + b"\0" * 600, r"Excel 97 to 2003 \(.xls\)"),
        (b"%PDF-1.7 ...", "PDF document"),
        (b"<html><table><tr><td>id</td></tr></table>", "web page"),
        (b'[{"id": "A"}]', "JSON Lines with one object in each line"),
        (b"PK\x03\x04 not a workbook", "read as an Excel workbook"),
        (gzip.compress(b"id,arrival\n" * 5000)[:-20], "ended before"),
        (gzip.compress(b"id,arrival\n" * 5000)[:20] + b"\xff" * 90, "damaged or incomplete"),
        (b"\xff\xfe\x00\xd8", "can't be decoded"),
        (b"{}\n{}", "no JSON object"),
        (b" \n\n", "is empty"),
    ],
)
def test_file_of_an_unsupported_type_is_rejected_with_a_single_line_message(
    tmp_path: Path, content: bytes, message: str
) -> None:
    path = tmp_path / "bookings"
    path.write_bytes(content)
    with pytest.raises(InvalidFile, match=message) as error:
        list(BookingsFile(path).rows())
    assert "\n" not in error.value.detail


def test_workbook_that_unpacks_to_a_huge_size_is_rejected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reminders.reservations.importing.files.workbook._MAX_UNPACKED", 1_000)
    with pytest.raises(InvalidFile, match="too large"):
        BookingsFile(workbook(tmp_path / "arrivals.xlsx"))


def test_uploaded_file_stays_open_and_can_be_read_several_times() -> None:
    upload = io.BytesIO((EXPORTS / "cloudbeds-export.csv").read_bytes())
    file = BookingsFile(upload, name="export.csv")
    assert len(list(file.rows())) == len(list(file.rows())) == 6
    assert not upload.closed


def test_inspection_returns_the_profile_columns_samples_and_dates_of_a_file() -> None:
    inspection = inspect_file(BookingsFile(EXPORTS / "cloudbeds-export.csv"))
    assert (inspection.row_count, inspection.missing, inspection.is_ready) == (6, (), True)
    assert inspection.profile is not None
    assert inspection.profile.title == "Cloudbeds"
    columns = {column.name: column for column in inspection.columns}
    assert columns["Name"].fields == ("guest_name",)
    assert columns["Name"].samples == ("Ana Prueba", "Ben Probe", "Cy Test")
    assert columns["Balance Due"].fields == ()
    assert inspection.mapping["arrival"] == "Check in Date"
    assert inspection.date_orders["arrival"] == "day-first"
    assert ("Confirmation Pending", 1, "booked") in {(s.word, s.rows, s.status) for s in inspection.statuses}


def test_inspection_of_an_ambiguous_file_returns_the_choices_that_staff_must_make(tmp_path: Path) -> None:
    path = tmp_path / "1.csv"
    path.write_text(
        "Code,Check in,Until,status,hotel\nA,03/04/2030,05/04/2030,weg,H1\nB,03/04/2030,05/04/2030,ok,H2\n"
    )
    options = ImportOptions(columns={"departure": "Until"})
    inspection = inspect_file(BookingsFile(path), options)
    assert (inspection.missing, inspection.is_ready, inspection.hotels) == (("number",), False, ("H1", "H2"))
    assert [column.column for column in inspection.ambiguous_dates] == ["Check in", "Until"]
    assert {f"{day}" for day in inspection.ambiguous_dates[0].readings.values()} == {
        "2030-04-03",
        "2030-03-04",
    }
    assert [(word.word, word.status) for word in inspection.statuses] == [("weg", None), ("ok", "booked")]


@pytest.mark.django_db
def test_interrupted_import_continues_after_its_last_batch(
    in_hotel: Hotel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reminders.reservations.importing.storing.BATCH_SIZE", 4)
    path = tmp_path / "1.csv"
    rows = [f"N{n},2030-05-10,2030-05-12,{'x' if n == 1 else 2}" for n in range(10)]
    path.write_text("\n".join(["id,arrival,departure,adults", *rows]))
    saved: list[dict[str, object]] = []

    def stop_after_the_first_batch(report: ImportReport) -> None:
        if saved:
            raise RuntimeError("The process is killed.")
        saved.append(report.as_json())

    with pytest.raises(RuntimeError):
        Importer(BookingsFile(path), ImportOptions(), on_batch=stop_after_the_first_batch).run()
    assert (Reservation.objects.count(), saved[0]["stored_rows"]) == (4, 4)
    errors: list[object] = []
    importer = Importer(BookingsFile(path), ImportOptions(), on_error=errors.append)
    report = importer.run(resumed=ImportReport.from_json(json.loads(json.dumps(saved[0]))))
    assert (report.rows, report.created, report.unchanged, report.left_out.total()) == (10, 10, 0, 1)
    assert (Reservation.objects.count(), report.stays, errors) == (10, 10, [])
