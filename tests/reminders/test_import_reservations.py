"""A file of bookings becomes reservations, stays in rooms and planned reminders, in numbers that add up."""

import csv
import gzip
import io
import json
import tracemalloc
from collections import Counter
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db.models import Count, F

from audit.models import Event
from hotelagent.demo import guests, shifting
from locks.models import Allocation, Room
from reminders.models import Reminder, Reservation, Rule
from reminders.reservations.importing.rooming import Rooming
from tenants.models import DueItem, Hotel
from tests.reminders.conftest import Clock

pytestmark = pytest.mark.django_db
SHIPPED = settings.BASE_DIR / "data" / "hotel_bookings.csv.gz"
HEADER = (
    "booking_id,hotel,booked_on,check_in,check_out,reserved_room_type,assigned_room_type,adults,children,"
    "country,market_segment,status,status_date"
)


def run(file: Path, **options: Any) -> dict[str, Any]:
    out = io.StringIO()
    call_command("import_reservations", file, hotel="alpha", json=True, stdout=out, **options)
    found: dict[str, Any] = json.loads(out.getvalue())
    return found


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join([HEADER, *lines]) + "\n")
    return path


@pytest.fixture(scope="module")
def slice_(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The arrivals of five weeks of both real hotels, good rows and bad."""
    path = tmp_path_factory.mktemp("slice") / "bookings.csv"
    with gzip.open(SHIPPED, "rt") as packed, path.open("w") as out:
        reader, writer = csv.DictReader(packed), csv.writer(out)
        writer.writerow(reader.fieldnames or [])
        writer.writerows(row.values() for row in reader if "2016-09-12" <= row["check_in"] <= "2016-10-16")
    return path


def rows_of(path: Path, hotel: str) -> list[dict[str, str]]:
    with path.open() as stream:
        return [row for row in csv.DictReader(stream) if row["hotel"] == hotel]


def is_sound(row: dict[str, str]) -> bool:
    return row["check_in"] < row["check_out"] and row["adults"] != "0"


def test_its_numbers_are_those_of_the_file(
    slice_: Path, in_hotel: Hotel, clock: Clock, tmp_path: Path
) -> None:
    clock("2016-09-20 03:00")  # 04:00 in Lisbon
    rows = rows_of(slice_, "City Hotel")
    sound = [row for row in rows if is_sound(row)]
    report = run(slice_, only_hotel_column="City Hotel", rejects=tmp_path / "rejects.csv")

    assert report["rows"] == len(rows)
    assert report["stored"] == Reservation.objects.count() == len(sound)
    assert report["rejected"] == len(rows) - len(sound) > 0
    assert report["rejected_by_reason"]["no night"] == sum(
        row["check_in"] == row["check_out"] for row in rows
    )
    assert len((tmp_path / "rejects.csv").read_text().splitlines()) == report["rejected"] + 1

    stays = [row for row in sound if row["status"] != "Canceled"]
    assert report["stays"] == Allocation.objects.filter(status="confirmed").count() == len(stays)
    assert Reservation.objects.filter(stay=None).count() == len(sound) - len(stays)
    assert not Reservation.objects.exclude(stay=None).exclude(stay__nights__startswith=F("arrival")).exists()
    types = Counter(row["assigned_room_type"] for row in stays)
    assert types == dict(
        Reservation.objects.exclude(stay=None).values_list("stay__room__room_type").annotate(Count("id"))
    )

    # What must be planned, computed from the file alone. The clock says 20 September, 04:00 in Lisbon: a week
    # ahead is planned from the 27th on; a mail of the day before goes from the 21st on, and for the 20th it is
    # late, and goes at once.
    alive = [row["check_in"] for row in stays]
    week = sum(day >= "2016-09-27" for day in alive)
    late_for_week = sum("2016-09-20" <= day < "2016-09-27" for day in alive)
    day_before = sum(day >= "2016-09-20" for day in alive)
    planned = Counter(Reminder.objects.values_list("rule__offset_days", "status"))
    assert planned == {(7, "scheduled"): week, (7, "skipped"): late_for_week, (1, "scheduled"): day_before}
    assert report["reminders"]["scheduled"] == week + day_before
    assert report["reminders"]["due"] == sum(day == "2016-09-20" for day in alive)
    assert DueItem.objects.filter(kind="reminder").count() == week + day_before
    assert Event.objects.filter(event="reservation.imported").count() == 1


def test_running_it_again_changes_nothing(slice_: Path, in_hotel: Hotel, clock: Clock) -> None:
    clock("2016-09-20 03:00")
    first = run(slice_, only_hotel_column="Resort Hotel")

    def all_rows() -> list[Any]:
        return [
            list(model.objects.order_by("pk").values()) for model in (Reservation, Allocation, Room, Reminder)
        ]

    before = all_rows()
    again = run(slice_, only_hotel_column="Resort Hotel")
    assert (again["stored"], again["unchanged"]) == (0, first["stored"])
    assert again["rejected"] == first["rejected"]
    assert again["rooms_made"] == 0
    assert all_rows() == before


def test_it_moves_bookings_to_today_by_whole_weeks(slice_: Path, in_hotel: Hotel, clock: Clock) -> None:
    clock("2031-10-01 12:00")
    report = run(slice_, only_hotel_column="Resort Hotel", shift_to_today=True)
    assert report["shifted_days"] % 7 == 0
    assert report["first_arrival"] < "2031-10-01" < report["last_arrival"]
    row = next(row for row in rows_of(slice_, "Resort Hotel") if is_sound(row))
    stored = Reservation.objects.get(external_id=row["booking_id"])
    by = timedelta(days=report["shifted_days"])
    for name, value in (
        ("arrival", stored.arrival), ("departure", stored.departure),
        ("booked_on", stored.booked_on), ("status_date", stored.status_date),
    ):  # fmt: skip
        column = {"arrival": "check_in", "departure": "check_out"}.get(name, name)
        assert value == date.fromisoformat(row[column]) + by, name
    # A guest who is to come has not left.
    assert not Reservation.objects.filter(departure__gt="2031-10-01", status="checked_out").exists()


def test_a_few_days_of_it_use_the_same_rooms_as_all_of_it(
    slice_: Path, in_hotel: Hotel, clock: Clock
) -> None:
    clock("2031-10-01 12:00")
    options = {"only_hotel_column": "Resort Hotel", "shift_to_today": True}
    some = run(slice_, around_today=(3, 7), **options)
    assert some["rows"] == some["stored"] + some["rejected"] + some["outside"]
    assert Reservation.objects.filter(booked_on__gt="2031-10-01").count() == 0
    rest = run(slice_, **options)
    assert rest["unchanged"] == some["stored"]
    assert (some["stays_in_another_room"], rest["stays_in_another_room"], rest["rooms_made"]) == (0, 0, 0)


def test_each_day_has_one_guest_whose_address_is_refused(slice_: Path, in_hotel: Hotel, clock: Clock) -> None:
    clock("2016-09-20 03:00")
    run(slice_, only_hotel_column="Resort Hotel")
    refused = Reservation.objects.filter(guest_email__endswith="@refused.example.com")
    assert refused.count() == Reservation.objects.exclude(stay=None).values("arrival").distinct().count()
    others = Reservation.objects.exclude(guest_email__endswith="@refused.example.com")
    assert not others.exclude(guest_email__endswith="@example.com").exists()
    assert Reservation.objects.values("guest_email").distinct().count() == Reservation.objects.count()


def test_a_dry_run_counts_and_stores_nothing(slice_: Path, in_hotel: Hotel) -> None:
    report = run(slice_, only_hotel_column="Resort Hotel", dry_run=True)
    assert report["stored"] == sum(is_sound(row) for row in rows_of(slice_, "Resort Hotel"))
    assert not Reservation.objects.exists()
    assert not Room.objects.exists()


GOOD = "R1,H,2030-01-01,2030-02-01,2030-02-03,A,A,2,0,ESP,Direct,Check-Out,2030-02-03"


def test_bad_rows_are_told_by_line_and_stop_nothing(in_hotel: Hotel, tmp_path: Path) -> None:
    bad = {
        "R2,H,2030-01-01,2030-02-01,2030-02-01,A,A,2,0,PRT,Direct,Check-Out,2030-02-01": "no night",
        "R3,H,2030-01-01,2030-02-01,2030-02-03,A,A,0,2,PRT,Direct,Check-Out,2030-02-03": "no adult",
        "R4,H,2030-01-01,2030-02-31,2030-02-03,A,A,2,0,PRT,Direct,Check-Out,2030-02-03": "bad date",
        "R5,H,2030-01-01,2030-02-01,2030-02-03,A,A,two,0,PRT,Direct,Check-Out,2030-02-03": "bad number",
        "R6,H,2030-01-01,2030-02-01,2030-02-03,A,A,2,0,PRT,Direct,Gone,2030-02-03": "unknown status",
        ",H,2030-01-01,2030-02-01,2030-02-03,A,A,2,0,PRT,Direct,Check-Out,2030-02-03": "no number",
        "R8,H,2030-01-01": "too few columns",
        "R9,H,2030-01-01,2030-02-01,2034-02-03,A,A,2,0,PRT,Direct,Check-Out,2030-02-03": "too many nights",
        "R" * 65 + ",H,2030-01-01,2030-02-01,2030-02-03,A,A,2,0,PRT,Direct,Check-Out,2030-02-03": "too long",
    }
    path = write(tmp_path / "bookings.csv", *bad, GOOD)
    report = run(path, rejects=tmp_path / "rejects.csv")
    assert (report["rows"], report["stored"], report["rejected"]) == (len(bad) + 1, 1, len(bad))
    listed = list(csv.DictReader((tmp_path / "rejects.csv").read_text().splitlines()))
    assert [(int(row["line"]), row["reason"]) for row in listed] == list(enumerate(bad.values(), start=2))


def test_odd_guests_are_stored_as_they_are_or_told_by_line(in_hotel: Hotel, tmp_path: Path) -> None:
    path = tmp_path / "guests.csv"
    guests_of = {
        "R1": ('"Ana\r\nBcc: all@example.com"', "ana@example.com", "es"),
        "R2": ("Zoë 👩‍👩‍👧 Ünal", "zoe@example.com", "pt_BR"),
        "R3": ("محمد بن عبدالله", "m@example.com", "ar"),
        "R4": ("A" * 10_000, "a@example.com", "es"),
        "R5": ("Eva", "eva@", "es"),
        "R6": ("Eva", '"eva@example.com\nBcc: x@example.com"', "es"),
        "R7": ("Eva", "eva@example.com", "klingon"),
        "R8": ("Eva", "eva@nowhere", "es"),
    }
    lines = [f"{n},2030-05-10,2030-05-12,2,{','.join(values)}" for n, values in guests_of.items()]
    far = "R9,9999-12-30,9999-12-31,2,Eva,eva@example.com,es"
    path.write_text(
        "\n".join(["id,arrival,departure,adults,guest,email,lang", *lines, far]) + "\n", newline=""
    )
    report = run(path, rejects=tmp_path / "rejects.csv")
    assert report["rejected_by_reason"] == {
        "too long": 1, "bad e-mail": 3, "unknown language": 1, "bad date": 1
    }  # fmt: skip
    stored = {r.external_id: (r.guest_name, r.language) for r in Reservation.objects.all()}
    assert stored == {
        "R1": ("Ana Bcc: all@example.com", "es"),
        "R2": ("Zoë 👩‍👩‍👧 Ünal", "pt-br"),
        "R3": ("محمد بن عبدالله", "ar"),
    }
    listed = list(csv.DictReader((tmp_path / "rejects.csv").read_text().splitlines()))
    # Cells that hold line breaks take two lines of the file each.
    assert [(row["number"], int(row["line"])) for row in listed] == [
        ("R4", 6), ("R5", 7), ("R6", 9), ("R7", 10), ("R8", 11), ("R9", 12)
    ]  # fmt: skip


def test_who_returns_does_not_depend_on_the_files_order(
    in_hotel: Hotel, clock: Clock, tmp_path: Path
) -> None:
    clock("2030-05-01 12:00")
    Rule.objects.filter(offset_days=7).update(guests="returning")
    path = tmp_path / "guests.csv"
    later = (f"L{n},2030-06-10,2030-06-12,2,Ana,ana{n}@example.com" for n in range(2_100))
    earlier = "E0,2030-05-10,2030-05-12,2,Ana,ANA0@example.com"
    path.write_text("\n".join(["id,arrival,departure,adults,guest,email", *later, earlier]) + "\n")
    run(path)
    week_before = Reminder.objects.filter(rule__offset_days=7, status="scheduled")
    assert list(week_before.values_list("reservation__external_id", flat=True)) == ["L0"]


def test_it_reads_what_a_spreadsheet_writes(in_hotel: Hotel, tmp_path: Path) -> None:
    path = tmp_path / "reservas.csv"
    text = "Localizador;Llegada;Salida;Adults;Guest\r\nX1;2030-02-01;2030-02-03;2;Núñez, José\r\n\r\n"
    path.write_bytes(text.encode("cp1252"))
    mapping = ["number=localizador", "arrival=Llegada", "departure=Salida"]
    assert run(path, mapping=mapping)["stored"] == 1
    stored = Reservation.objects.get()
    assert (stored.external_id, stored.guest_name, stored.guest_email) == ("X1", "Núñez, José", "")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"a,b\n1,2\n", "No column for number, arrival, departure, adults"),
        (b"\x1f\x8bbroken", "broken"),
    ],
)
def test_a_file_that_can_not_be_read_is_one_clear_line(
    in_hotel: Hotel, tmp_path: Path, content: bytes, message: str
) -> None:
    path = tmp_path / "broken"
    path.write_bytes(content)
    with pytest.raises(CommandError, match=message):
        run(path)


def test_it_asks_which_hotel_when_the_file_holds_several(slice_: Path, in_hotel: Hotel) -> None:
    with pytest.raises(CommandError, match="--only-hotel-column"):
        run(slice_)


def test_a_stay_whose_room_is_taken_gets_another(in_hotel: Hotel, tmp_path: Path) -> None:
    run(write(tmp_path / "one.csv", GOOD))
    report = run(write(tmp_path / "two.csv", GOOD.replace("R1,", "R2,")))
    assert (report["stored"], report["stays_in_another_room"]) == (1, 1)
    assert Room.objects.count() == 2


def test_it_needs_no_more_rooms_than_the_busiest_night() -> None:
    rooming = Rooming()
    for first, nights in ((1, 3), (2, 1), (3, 2), (4, 1), (1, 1)):
        arrival = date(2030, 1, first)
        rooming.add(room_type="A", arrival=arrival, departure=arrival + timedelta(days=nights))
    rooming.solve()
    assert rooming.needed == {"A": 2}
    assert [rooming.room(stay) for stay in range(5)] == [0, 1, 1, 0, 1]


@pytest.mark.parametrize("today", [date(2024, 2, 29), date(2026, 11, 22), date(2031, 7, 30)])
def test_it_finds_the_same_season_near_the_middle(today: date) -> None:
    first, last = date(2015, 7, 1), date(2017, 8, 31)
    shift = shifting.to_today(first=first, last=last, today=today)
    assert first + shift < today < last + shift
    assert shift.days % 7 == 0
    assert abs((today - shift).timetuple().tm_yday - today.timetuple().tm_yday) <= 4


def test_guests_are_invented_the_same_each_time() -> None:
    assert guests.name_of("R000123", "PRT") == guests.name_of("R000123", "PRT")
    assert guests.email_of("R000123", "Inês De Luca-Núñez") == "ines.delucanunez.r000123@example.com".replace(
        "delucanunez", "de.lucanunez"
    )
    assert [guests.language_of(country) for country in ("PRT", "BRA", "ARG", "ESP", "FRA", "")] == [
        "pt",
        "pt",
        "es",
        "es",
        "en",
        "",
    ]


def test_memory_does_not_grow_with_the_file(in_hotel: Hotel, tmp_path: Path) -> None:
    def peak(rows: int) -> int:
        path = write(
            tmp_path / f"{rows}.csv", *(f"{rows}-{n}" + GOOD.removeprefix("R1") for n in range(rows))
        )
        tracemalloc.start()
        run(path, dry_run=True)
        _now, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(100)
    small, large = peak(2_500), peak(7_500)
    assert large - small < 5_000 * 60  # bytes: 20 a stay, and what arrays keep in reserve
