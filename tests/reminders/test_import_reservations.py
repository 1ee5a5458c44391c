"""Tests of the first import of a file with bookings: reservations, stays, planned reminders and rejected rows."""

import csv
import io
import json
import re
import tracemalloc
from collections import Counter
from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db.models import Count, F

from audit.models import Event
from locks.models import Allocation, Room
from reminders.management.commands import import_reservations
from reminders.models import Reminder, Reservation, Rule
from reminders.reservations.importing.columns.fields import FIELDS, KNOWN_NAMES, REQUIRED_FIELDS
from reminders.reservations.importing.room_assignment import RoomAssignment
from reminders.sending import batch
from tenants.models import DueItem, Hotel
from tests.bookings import Row, as_exported_on, booking_rows, has_a_night
from tests.reminders.conftest import Clock

pytestmark = pytest.mark.django_db
TODAY = "2016-09-20"
FIRST_ARRIVAL, LAST_ARRIVAL = date(2016, 9, 12), date(2016, 10, 16)
HEADER = (
    "booking_id,hotel,booked_on,check_in,check_out,reserved_room_type,assigned_room_type,adults,children,"
    "country,market_segment,status,status_date"
)
VALID_LINE = "R1,H,2030-01-01,2030-02-01,2030-02-03,A,A,2,0,ESP,Direct,Check-Out,2030-02-03"


def run(file: Path, **options: Any) -> dict[str, Any]:
    """Import the file into the hotel Alpha, and return the import report."""
    out = io.StringIO()
    call_command("import_reservations", file, hotel="alpha", json=True, stdout=out, **options)
    report: dict[str, Any] = json.loads(out.getvalue())
    return report


def output_of(file: Path, **options: Any) -> str:
    out = io.StringIO()
    call_command("import_reservations", file, hotel="alpha", stdout=out, **options)
    return out.getvalue()


def write_lines(path: Path, *lines: str, header: str = HEADER) -> Path:
    path.write_text("\n".join([header, *lines]) + "\n")
    return path


def write_rows(path: Path, rows: Iterable[Row]) -> Path:
    rows = list(rows)
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.fixture(scope="module")
def resort_rows() -> list[Row]:
    """Return five weeks of the resort hotel's bookings, as rows of a file that was exported on `TODAY`."""
    rows = booking_rows("Resort Hotel", first=FIRST_ARRIVAL, last=LAST_ARRIVAL)
    return [as_exported_on(row, TODAY) for row in rows]


@pytest.fixture(scope="module")
def city_rows() -> list[Row]:
    rows = booking_rows("City Hotel", first=FIRST_ARRIVAL, last=LAST_ARRIVAL)
    return [as_exported_on(row, TODAY) for row in rows]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory, resort_rows: list[Row], city_rows: list[Row]) -> Path:
    """Write the bookings of the resort hotel and the city hotel to one CSV file, and return its path."""
    return write_rows(tmp_path_factory.mktemp("export") / "bookings.csv", [*resort_rows, *city_rows])


def test_import_stores_reservations_stays_and_reminders_for_all_valid_rows(
    file: Path, city_rows: list[Row], in_hotel: Hotel, clock: Clock, tmp_path: Path
) -> None:
    clock(f"{TODAY} 03:00")  # 04:00 in Lisbon
    valid = [row for row in city_rows if has_a_night(row)]
    report = run(file, property="City Hotel", rejects=tmp_path / "rejects.csv")

    assert report["rows"] == len(city_rows)
    assert report["created"] == Reservation.objects.count() == len(valid)
    assert report["rejected"] == len(city_rows) - len(valid) > 0
    assert report["rejected_by_reason"] == {"no nights": report["rejected"]}
    assert report["left_out_by_reason"] == {"no adults": sum(row["adults"] == "0" for row in valid)}
    listed = len((tmp_path / "rejects.csv").read_text().splitlines()) - 1
    assert listed == report["rejected"] + report["left_out"]

    stays = [row for row in valid if row["status"] != "Canceled"]
    assert report["stays"] == Allocation.objects.filter(status="confirmed").count() == len(stays)
    assert Reservation.objects.filter(stay=None).count() == len(valid) - len(stays)
    assert not Reservation.objects.exclude(stay=None).exclude(stay__nights__startswith=F("arrival")).exists()
    types = Counter(row["assigned_room_type"] for row in stays)
    assert types == dict(
        Reservation.objects.exclude(stay=None).values_list("stay__room__room_type").annotate(Count("id"))
    )

    # The expected numbers of reminders are computed from the rows alone. It is 04:00 on 20 September in Lisbon.
    # The reminder of the week before arrival is planned for arrivals from 27 September on.
    # The reminder of the day before arrival is planned for arrivals from 21 September on.
    # For arrivals on 20 September, the reminder of the day before is late and is sent immediately.
    arrivals = [row["check_in"] for row in stays if row["status"] == "Confirmed"]
    week_before = sum(day >= "2016-09-27" for day in arrivals)
    late_for_week_before = sum("2016-09-20" <= day < "2016-09-27" for day in arrivals)
    day_before = sum(day >= "2016-09-20" for day in arrivals)
    planned = Counter(Reminder.objects.values_list("rule__offset_days", "status"))
    assert planned == {
        (7, "scheduled"): week_before,
        (7, "skipped"): late_for_week_before,
        (1, "scheduled"): day_before,
    }
    assert report["reminders"]["scheduled"] == week_before + day_before
    assert report["reminders"]["due"] == sum(day == TODAY for day in arrivals)
    assert DueItem.objects.filter(kind="reminder").count() == week_before + day_before
    assert Event.objects.filter(event="reservation.imported").count() == 1


def test_import_of_the_same_file_again_changes_nothing(file: Path, in_hotel: Hotel, clock: Clock) -> None:
    clock(f"{TODAY} 03:00")
    first = run(file, property="Resort Hotel")

    def all_rows() -> list[Any]:
        return [
            list(model.objects.order_by("pk").values()) for model in (Reservation, Allocation, Room, Reminder)
        ]

    before = all_rows()
    second = run(file, property="Resort Hotel")
    assert (second["created"], second["unchanged"]) == (0, first["created"])
    assert second["rejected"] == first["rejected"]
    assert second["rooms_created"] == 0
    assert all_rows() == before


def test_dry_run_of_an_import_counts_rows_and_stores_nothing(
    file: Path, resort_rows: list[Row], in_hotel: Hotel
) -> None:
    report = run(file, property="Resort Hotel", dry_run=True)
    assert report["created"] == sum(map(has_a_night, resort_rows))
    assert not Reservation.objects.exists()
    assert not Room.objects.exists()
    assert "Nothing was stored" in output_of(file, property="Resort Hotel", dry_run=True)


def test_booking_without_name_and_email_is_stored_and_its_reminders_are_skipped(
    in_hotel: Hotel, clock: Clock, tmp_path: Path
) -> None:
    clock("2030-01-02 12:00")
    run(write_lines(tmp_path / "bookings.csv", VALID_LINE.replace("Check-Out,2030-02-03", "Confirmed,")))
    stored = Reservation.objects.get()
    assert (stored.guest_name, stored.guest_email, stored.language) == ("", "", "")
    assert set(Reminder.objects.values_list("rule__offset_days", "status")) == {
        (7, "scheduled"),
        (1, "scheduled"),
    }

    for offset_days, morning in ((7, "2030-01-25 11:00"), (1, "2030-01-31 11:00")):
        clock(morning)
        reminder = Reminder.objects.get(rule__offset_days=offset_days)
        batch.send_due([reminder.id])
        reminder.refresh_from_db()
        assert (reminder.status, reminder.skip_reason) == ("skipped", "no_email")


def test_booking_with_an_email_address_but_no_name_is_stored(in_hotel: Hotel, tmp_path: Path) -> None:
    header = "id,arrival,departure,adults,guest,email"
    run(write_lines(tmp_path / "1.csv", "A,2030-05-10,2030-05-12,2,,ana@guests.example", header=header))
    stored = Reservation.objects.get()
    assert (stored.guest_name, stored.guest_email) == ("", "ana@guests.example")


def test_import_stores_a_status_even_if_it_contradicts_the_dates(in_hotel: Hotel, tmp_path: Path) -> None:
    lines = [VALID_LINE, VALID_LINE.replace("R1", "R2").replace("Check-Out", "No-Show")]
    report = run(write_lines(tmp_path / "bookings.csv", *lines))
    assert report["created_by_status"] == {"checked_out": 1, "no_show": 1}


def test_rejected_rows_are_reported_with_line_column_value_and_reason(
    in_hotel: Hotel, tmp_path: Path
) -> None:
    number = "R" * 65
    rejected = {
        "R2,H,2030-01-01,2030-02-01,2030-02-01,A,A,2,0,PRT,Direct,Check-Out,2030-02-01":
            ("check_out", "2030-02-01", "no nights"),
        "R4,H,2030-01-01,2030-02-31,2030-02-03,A,A,2,0,PRT,Direct,Check-Out,2030-02-03":
            ("check_in", "2030-02-31", "invalid date"),
        ",H,2030-01-01,2030-02-01,2030-02-03,A,A,2,0,PRT,Direct,Check-Out,2030-02-03":
            ("booking_id", "", "no booking number"),
        "R8,H,2030-01-01": ("", "", "too few columns"),
        "R9,H,2030-01-01,2030-02-01,2034-02-03,A,A,2,0,PRT,Direct,Check-Out,2030-02-03":
            ("check_out", "2034-02-03", "too many nights"),
        f"{number},H,2030-01-01,2030-02-01,2030-02-03,A,A,2,0,PRT,Direct,Check-Out,2030-02-03":
            ("booking_id", number, "value too long"),
    }  # fmt: skip
    path = write_lines(tmp_path / "bookings.csv", *rejected, VALID_LINE)
    report = run(path, rejects=tmp_path / "rejects.csv")
    assert (report["rows"], report["created"], report["rejected"]) == (len(rejected) + 1, 1, len(rejected))
    assert errors_of(tmp_path / "rejects.csv") == [
        (line, *error, "row not imported") for line, error in enumerate(rejected.values(), start=2)
    ]


def errors_of(path: Path) -> list[tuple[Any, ...]]:
    """Return the line, column, value, reason and result of each error in a file written by `--rejects`."""
    return [
        (int(row["line"]), row["column"], row["value"], row["reason"], row["result"])
        for row in csv.DictReader(path.read_text().splitlines())
    ]


def test_output_of_the_import_shows_the_counts_and_the_first_ten_rejected_rows(
    in_hotel: Hotel, tmp_path: Path
) -> None:
    rejected = [VALID_LINE.replace("R1", f"R{n}").replace("2030-02-01", "2030-02-03") for n in range(2, 14)]
    output = output_of(write_lines(tmp_path / "bookings.csv", VALID_LINE, *rejected))
    assert output.startswith("Imported bookings.csv in ")
    assert "1 new, 0 updated, 0 unchanged, 12 rejected" in output
    assert (
        'line 3: R2: check_out "2030-02-03": no nights (The stay is from 2030-02-03 to 2030-02-03.)' in output
    )
    assert output.count("no nights") == 10
    assert "and 2 more. Use --rejects FILE" in output


def test_import_stores_unusual_guest_data_and_reports_invalid_guest_data(
    in_hotel: Hotel, tmp_path: Path
) -> None:
    path = tmp_path / "guests.csv"
    guests = {
        "R1": ('"Ana\r\nBcc: all@example.com"', "ana@example.com", "es"),
        "R2": ("Zoë 👩‍👩‍👧 Ünal", "zoe@example.com", "pt_BR"),
        "R3": ("محمد بن عبدالله", "m@example.com", "ar"),
        "R4": ("A" * 10_000, "a@example.com", "es"),
        "R5": ("Eva", "eva@", "es"),
        "R6": ("Eva", '"eva@example.com\nBcc: x@example.com"', "es"),
        "R7": ("Eva", "eva@example.com", "klingon"),
        "R8": ("Eva", "eva@nowhere", "es"),
    }
    lines = [f"{number},2030-05-10,2030-05-12,2,{','.join(values)}" for number, values in guests.items()]
    far_future = "R9,9999-12-30,9999-12-31,2,Eva,eva@example.com,es"
    path.write_text(
        "\n".join(["id,arrival,departure,adults,guest,email,lang", *lines, far_future]) + "\n", newline=""
    )
    report = run(path, rejects=tmp_path / "rejects.csv")
    assert report["rejected_by_reason"] == {"invalid date": 1}
    assert report["left_out_by_reason"] == {
        "value too long": 1, "invalid e-mail address": 3, "unknown language": 1
    }  # fmt: skip
    stored = {r.external_id: (r.guest_name, r.guest_email, r.language) for r in Reservation.objects.all()}
    assert stored == {
        "R1": ("Ana Bcc: all@example.com", "ana@example.com", "es"),
        "R2": ("Zoë 👩‍👩‍👧 Ünal", "zoe@example.com", "pt-br"),
        "R3": ("محمد بن عبدالله", "m@example.com", "ar"),
        "R4": ("", "a@example.com", "es"),
        "R5": ("Eva", "", "es"),
        "R6": ("Eva", "", "es"),
        "R7": ("Eva", "eva@example.com", ""),
        "R8": ("Eva", "", "es"),
    }
    # A cell with a line break takes two lines of the file.
    assert [line for line, *_error in errors_of(tmp_path / "rejects.csv")] == [6, 7, 9, 10, 11, 12]


def test_returning_guest_is_recognized_if_the_earlier_stay_comes_later_in_the_file(
    in_hotel: Hotel, clock: Clock, tmp_path: Path
) -> None:
    clock("2030-05-01 12:00")
    Rule.objects.filter(offset_days=7).update(guests="returning")
    later_stays = (f"L{n},2030-06-10,2030-06-12,2,Ana,ana{n}@example.com" for n in range(2_100))
    earlier_stay = "E0,2030-05-10,2030-05-12,2,Ana,ANA0@example.com"
    header = "id,arrival,departure,adults,guest,email"
    run(write_lines(tmp_path / "guests.csv", *later_stays, earlier_stay, header=header))
    week_before = Reminder.objects.filter(rule__offset_days=7, status="scheduled")
    assert list(week_before.values_list("reservation__external_id", flat=True)) == ["L0"]


def test_csv_file_with_semicolons_from_a_european_spreadsheet_is_imported(
    in_hotel: Hotel, tmp_path: Path
) -> None:
    path = tmp_path / "reservas.csv"
    text = "Localizador;Llegada;Salida;Adults;Guest\r\nX1;2030-02-01;2030-02-03;2;Núñez, José\r\n\r\n"
    path.write_bytes(text.encode("cp1252"))
    columns = ["number=localizador", "arrival=Llegada", "departure=Salida"]
    assert run(path, columns=columns)["created"] == 1
    stored = Reservation.objects.get()
    assert (stored.external_id, stored.guest_name, stored.guest_email) == ("X1", "Núñez, José", "")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"a,b\n1,2\n", "no recognized column for: number, arrival, departure"),
        (b"\x1f\x8bbroken", "broken"),
    ],
)
def test_import_of_a_file_that_is_empty_or_damaged_or_lacks_columns_fails(
    in_hotel: Hotel, tmp_path: Path, content: bytes, message: str
) -> None:
    path = tmp_path / "broken"
    path.write_bytes(content)
    with pytest.raises(CommandError, match=message):
        run(path)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (["number=Locator"], "no column named Locator"),
        (["locator=booking_id"], "Unknown field: locator"),
        (["number"], "--map needs a field and a column"),
    ],
)
def test_import_with_an_unknown_field_or_column_in_the_mapping_fails(
    in_hotel: Hotel, tmp_path: Path, columns: list[str], message: str
) -> None:
    with pytest.raises(CommandError, match=message):
        run(write_lines(tmp_path / "bookings.csv", VALID_LINE), columns=columns)


def test_help_of_import_reservations_describes_every_field_and_its_column_names() -> None:
    text = import_reservations.Command().create_parser("manage.py", "import_reservations").format_help()
    for name in FIELDS:
        description, columns = re.findall(rf"^  {name} +(\S.+)\n +columns: (.+)$", text, re.MULTILINE)[0]
        assert description.endswith("(required)") == (name in REQUIRED_FIELDS)
        assert set(columns.split(", ")) <= KNOWN_NAMES
    assert max(map(len, text.splitlines())) <= 120


def test_import_of_a_file_with_several_hotels_requires_choosing_one_hotel(
    file: Path, in_hotel: Hotel
) -> None:
    with pytest.raises(CommandError, match="--property NAME"):
        run(file)
    assert not Reservation.objects.exists()


def test_imported_stay_gets_another_room_if_the_first_room_is_occupied(
    in_hotel: Hotel, tmp_path: Path
) -> None:
    run(write_lines(tmp_path / "one.csv", VALID_LINE))
    report = run(write_lines(tmp_path / "two.csv", VALID_LINE.replace("R1,", "R2,")))
    assert (report["created"], report["stays_in_another_room"]) == (1, 1)
    assert Room.objects.count() == 2


def test_room_assignment_uses_only_as_many_rooms_as_the_busiest_night_needs() -> None:
    assignment = RoomAssignment()
    for first_day, nights in ((1, 3), (2, 1), (3, 2), (4, 1), (1, 1)):
        arrival = date(2030, 1, first_day)
        assignment.add(room_type="A", arrival=arrival, departure=arrival + timedelta(days=nights))
    assignment.solve()
    assert assignment.required_rooms == {"A": 2}
    assert [assignment.room_index(stay) for stay in range(5)] == [0, 1, 1, 0, 1]


def test_memory_of_a_dry_run_import_does_not_grow_with_the_number_of_rows(
    in_hotel: Hotel, tmp_path: Path
) -> None:
    def peak(rows: int) -> int:
        lines = (f"{rows}-{n}" + VALID_LINE.removeprefix("R1") for n in range(rows))
        path = write_lines(tmp_path / f"{rows}.csv", *lines)
        tracemalloc.start()
        run(path, dry_run=True)
        _current, maximum = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return maximum

    peak(100)
    small, large = peak(2_500), peak(7_500)
    # A row needs 20 bytes for its stay, and about 75 bytes for the hash of its number. Sets and arrays need some more.
    assert large - small < 5_000 * 150
