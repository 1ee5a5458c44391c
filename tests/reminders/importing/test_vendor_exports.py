"""Tests that import the exports of vendors, and files with defects that users of other systems have reported.

The folder `exports` contains the files. The expected values were determined by people who read the files.
"""

import csv
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError

from locks.models import Allocation, Room
from reminders.admin.front_desk.board_guests import guests_of_stays
from reminders.models import Reservation
from tenants.models import Hotel
from tests.reminders.test_import_reservations import errors_of, output_of, run, write_lines

pytestmark = pytest.mark.django_db
EXPORTS = Path(__file__).parent / "exports"


def stored() -> dict[str, Reservation]:
    return {r.external_id: r for r in Reservation.objects.select_related("stay__room")}


def stays() -> Counter[str]:
    """Return a dictionary that maps each booking number to the number of occupied rooms."""
    return Counter(Allocation.objects.filter(status="confirmed").values_list("reference", flat=True))


def dates(reservation: Reservation) -> tuple[str, str]:
    return f"{reservation.arrival}", f"{reservation.departure}"


def test_cloudbeds_export_is_imported_completely_without_options(in_hotel: Hotel) -> None:
    report = run(EXPORTS / "cloudbeds-export.csv")
    assert (report["profile"], report["created"], report["rejected"], report["left_out"]) == (
        "cloudbeds",
        6,
        0,
        0,
    )
    reservations = stored()
    assert {number: r.status for number, r in reservations.items()} == {
        "CB0001": "booked", "CB0002": "checked_in", "CB0003": "checked_out", "CB0004": "cancelled",
        "CB0005": "no_show", "CB0006": "booked",
    }  # fmt: skip
    assert stays() == {"CB0001": 1, "CB0002": 1, "CB0003": 1, "CB0005": 1, "CB0006": 2}
    assert dates(reservations["CB0001"]) == ("2026-12-15", "2026-12-18")
    assert dates(reservations["CB0002"]) == ("2026-12-03", "2026-12-05")
    countries = [reservations[number].country for number in sorted(reservations)]
    assert countries == ["PHL", "DEU", "USA", "FRA", "NLD", "ITA"]
    # The other date columns of the file prove that the day comes before the month.
    assert reservations["CB0001"].booked_on == date(2026, 11, 10)
    assert reservations["CB0004"].status_date == date(2026, 11, 12)
    first = reservations["CB0001"]
    assert (first.guest_name, first.guest_email, first.guest_phone, first.source, first.room_type) == (
        "Ana Prueba", "ana@example.org", "+63 912 345 6789", "Walk-In", "Double Room"
    )  # fmt: skip


def test_airbnb_export_is_imported_completely_without_options(in_hotel: Hotel) -> None:
    report = run(EXPORTS / "airbnb-export.csv")
    assert (report["profile"], report["created"], report["rejected"], report["left_out"]) == (
        "airbnb",
        3,
        0,
        0,
    )
    reservations = stored()
    assert {number: (r.status, *dates(r)) for number, r in reservations.items()} == {
        "HMTEST0001": ("booked", "2026-12-15", "2026-12-18"),
        "HMTEST0002": ("cancelled", "2026-12-03", "2026-12-05"),
        "HMTEST0003": ("booked", "2026-11-27", "2026-11-30"),
    }
    assert stays() == {"HMTEST0001": 1, "HMTEST0003": 1}
    assert reservations["HMTEST0001"].guest_phone == "+1 (412) 555-4321"
    assert Room.objects.get().room_type == "Rose Room"


def test_booking_com_export_is_imported_completely_without_options(in_hotel: Hotel) -> None:
    report = run(EXPORTS / "booking-com-export.csv")
    assert (report["profile"], report["created"], report["rejected"], report["left_out"]) == (
        "booking",
        4,
        0,
        0,
    )
    reservations = stored()
    assert {number: (r.status, *dates(r), r.country) for number, r in reservations.items()} == {
        "4000000001": ("booked", "2026-12-15", "2026-12-18", "ESP"),
        "4000000002": ("booked", "2026-12-20", "2026-12-22", "DEU"),
        "4000000003": ("cancelled", "2026-12-24", "2026-12-26", "GBR"),
        "4000000004": ("no_show", "2026-11-20", "2026-11-21", "FRA"),
    }
    assert stays() == {"4000000001": 1, "4000000002": 2, "4000000004": 1}
    assert set(Room.objects.values_list("room_type", flat=True)) == {"Double Room"}
    assert (reservations["4000000002"].guest_name, reservations["4000000002"].adults) == ("Ben Probe", 4)


def test_arrivals_report_of_opera_is_imported_completely_without_options(in_hotel: Hotel) -> None:
    report = run(EXPORTS / "opera-arrivals.csv")
    assert (report["profile"], report["created"], report["rejected"], report["left_out"]) == (
        "opera",
        3,
        0,
        0,
    )
    assert {number: (r.status, *dates(r), r.room_type) for number, r in stored().items()} == {
        "OP-001": ("booked", "2026-12-15", "2026-12-18", "DLX"),
        "OP-002": ("cancelled", "2026-12-20", "2026-12-22", "STD"),
        "OP-003": ("booked", "2026-11-27", "2026-11-30", "STD"),
    }
    assert stays() == {"OP-001": 2, "OP-003": 1}


def test_booking_with_an_invalid_email_or_phone_is_imported_without_the_invalid_value(
    in_hotel: Hotel, tmp_path: Path
) -> None:
    report = run(EXPORTS / "one-bad-contact.csv", rejects=tmp_path / "errors.csv")
    assert (report["created"], report["rejected"]) == (9, 0)
    assert stays() == dict.fromkeys((f"BC{n}" for n in range(1, 10)), 1)
    assert [error[:4] for error in errors_of(tmp_path / "errors.csv")] == [
        (3, "email", "a@example.org; b@example.org", "invalid e-mail address"),
        (4, "email", "-", "invalid e-mail address"),
        (5, "phone", "+49 (0)171 / 123 45 67 (mobile)", "invalid phone number"),
        (7, "email", "jörg@example.org", "invalid e-mail address"),
        (9, "room_type", "Deluxe Double Room with Balcony and Partial Sea View", "value too long"),
        (10, "adults", "", "no adults"),
    ]
    reservations = stored()
    assert (reservations["BC4"].guest_email, reservations["BC4"].guest_phone) == ("long@example.org", "")
    assert (reservations["BC5"].country, reservations["BC7"].guest_email) == ("DEU", "info@bücher.example")


def test_cancellation_is_imported_even_if_the_contact_data_is_invalid(
    in_hotel: Hotel, tmp_path: Path
) -> None:
    header = "id,arrival,departure,adults,status,email,phone"
    run(write_lines(tmp_path / "1.csv", "A,2030-05-10,2030-05-12,2,booked,a@example.com,", header=header))
    run(write_lines(tmp_path / "2.csv", "A,2030-05-10,2030-05-12,,cancelled,a@;b@,x", header=header))
    cancelled = Reservation.objects.get()
    assert (cancelled.status, cancelled.stay, cancelled.guest_email) == ("cancelled", None, "a@example.com")
    assert stays() == {}


def test_rows_with_the_same_number_and_dates_are_rooms_of_one_booking(
    in_hotel: Hotel, tmp_path: Path
) -> None:
    report = run(EXPORTS / "one-number-two-rooms.csv")
    assert (report["rows"], report["created"], report["joined"], report["rejected"]) == (3, 2, 1, 0)
    assert stays() == {"MR1": 2, "MR2": 1}
    assert Room.objects.count() == 3
    again = run(EXPORTS / "one-number-two-rooms.csv")
    assert (again["unchanged"], again["updated"]) == (2, 0)


def test_import_of_a_changed_booking_with_several_rooms_updates_all_its_stays(
    in_hotel: Hotel, tmp_path: Path
) -> None:
    header = "id,arrival,departure,adults,room_type,rooms,status"

    def import_line(line: str) -> list[tuple[str, str]]:
        assert run(write_lines(tmp_path / "bookings.csv", line, header=header))["rejected"] == 0
        confirmed = Allocation.objects.filter(status="confirmed").select_related("room")
        return sorted((stay.room.room_type, f"{stay.check_in}") for stay in confirmed)

    assert import_line("A,2030-05-10,2030-05-12,4,Double,2,booked") == [("Double", "2030-05-10")] * 2
    assert import_line("A,2030-05-11,2030-05-13,4,Double,2,booked") == [("Double", "2030-05-11")] * 2
    assert import_line("A,2030-05-11,2030-05-13,4,Double,3,booked") == [("Double", "2030-05-11")] * 3
    assert import_line('A,2030-05-11,2030-05-13,4,"Double, Single",2,booked') == [
        ("Double", "2030-05-11"), ("Single", "2030-05-11")
    ]  # fmt: skip
    assert import_line("A,2030-05-11,2030-05-13,4,Double,1,booked") == [("Double", "2030-05-11")]
    assert import_line("A,2030-05-11,2030-05-13,4,Double,2,booked") == [("Double", "2030-05-11")] * 2
    assert import_line("A,2030-05-11,2030-05-13,4,Double,2,cancelled") == []
    assert import_line("A,2030-05-11,2030-05-13,4,Double,2,booked") == [("Double", "2030-05-11")] * 2


@pytest.mark.urls(settings.HOTEL_URLCONF)
def test_room_board_shows_the_guest_name_in_each_room_of_a_booking(in_hotel: Hotel) -> None:
    run(EXPORTS / "one-number-two-rooms.csv")
    ids = list(Allocation.objects.values_list("id", flat=True))
    assert sorted(guest.name for guest in guests_of_stays(ids).values()) == [
        "Family Roe",
        "Family Roe",
        "Other",
    ]


def test_rows_of_a_booking_with_the_same_room_number_create_one_stay(in_hotel: Hotel, tmp_path: Path) -> None:
    header = "id,arrival,departure,adults,room_type,room,guest"
    lines = ["A,2030-05-10,2030-05-12,2,Double,101,Ana", "A,2030-05-10,2030-05-12,2,Double,101,Eva"]
    report = run(write_lines(tmp_path / "guests.csv", *lines, header=header))
    assert (report["created"], report["joined"]) == (1, 1)
    assert stays() == {"A": 1}


def test_cancelled_rows_of_a_booking_do_not_occupy_rooms(in_hotel: Hotel, tmp_path: Path) -> None:
    header = "id,arrival,departure,adults,room_type,status"
    lines = [f"A,2030-05-10,2030-05-12,2,Double,{status}" for status in ("cancelled", "booked", "cancelled")]
    run(write_lines(tmp_path / "rooms.csv", *lines, header=header))
    assert stays() == {"A": 1}
    assert Reservation.objects.get().status == "booked"


def test_line_that_sets_the_delimiter_for_excel_is_skipped(in_hotel: Hotel) -> None:
    assert run(EXPORTS / "sep-line.csv")["created"] == 1
    assert stored()["SP1"].guest_email == "eva@example.org"


def test_title_lines_before_the_header_and_totals_after_the_rows_are_skipped(in_hotel: Hotel) -> None:
    report = run(EXPORTS / "title-before-header.csv")
    assert (report["rows"], report["created"], report["rejected"]) == (1, 1, 0)


def test_nul_characters_in_cells_are_removed(in_hotel: Hotel) -> None:
    assert run(EXPORTS / "nul-byte.csv")["created"] == 2
    assert stored()["NU1"].guest_name == "Eva Null"


def test_guest_name_null_and_country_code_na_are_not_read_as_empty_cells(in_hotel: Hotel) -> None:
    run(EXPORTS / "guest-null.csv")
    assert {number: (r.guest_name, r.country) for number, r in stored().items()} == {
        "NN1": ("Null", "USA"),
        "NN2": ("", "NAM"),
        "NN3": ("Müller, Dr. Hans", "DEU"),
        "NN4": ("O'Brien", "IRL"),
    }


def test_unusual_email_addresses_of_guests_are_stored_unchanged(in_hotel: Hotel) -> None:
    assert run(EXPORTS / "mail-headers.csv")["left_out"] == 0
    assert {number: r.guest_email for number, r in stored().items()} == {
        "ML1": "guest+tag@example.org", "ML2": "sofia@example.org", "ML3": "sameday@example.org",
        "ML4": "info@bücher.example",
    }  # fmt: skip


def test_windows_1252_encoding_is_detected_even_if_the_first_64_kib_are_ascii(
    in_hotel: Hotel, tmp_path: Path
) -> None:
    path = tmp_path / "long.csv"
    header = "reservation_id,arrival,departure,adults,guest_name"
    lines = [f"CP{n:05},2027-06-01,2027-06-02,2,Guest Number {n}" for n in range(2_000)]
    text = "\n".join([header, *lines, "CP02000,2027-06-01,2027-06-02,2,Jörg Müller\n"])
    path.write_bytes(text.encode("cp1252"))
    assert path.stat().st_size > 65_536
    report = run(path)
    assert (report["created"], stored()["CP02000"].guest_name) == (2_001, "Jörg Müller")


def test_utf8_file_with_a_damaged_character_is_rejected_with_the_line_number(
    in_hotel: Hotel, tmp_path: Path
) -> None:
    path = tmp_path / "damaged.csv"
    lines = ["id,arrival,departure,guest", "A,2030-05-10,2030-05-12,Müller", "B,2030-05-10,2030-05-12,Jörg"]
    path.write_bytes("\n".join(lines).encode().replace("ö".encode(), b"\xf6"))
    with pytest.raises(CommandError, match="line 3 has a damaged character"):
        run(path)
    assert run(path, encoding="cp1252")["created"] == 2


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig"])
def test_file_in_any_unicode_encoding_is_imported(in_hotel: Hotel, tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "export.csv"
    path.write_bytes("id\tarrival\tdeparture\tguest\r\nA\t2030-05-10\t2030-05-12\tJörg\r\n".encode(encoding))
    run(path)
    assert stored()["A"].guest_name == "Jörg"


HOTEL_PROFILE = """
title = "Our system"
date_format = "day-first"

[columns]
number = "Localizador"
arrival = "Entrada"
departure = "Salida"
guest_name = ["Nombre+Apellidos"]
status = "Situación"

[statuses]
"Anulada" = "cancelled"
"Firme" = "booked"
"""


def test_profile_written_by_a_hotel_maps_columns_statuses_and_dates(in_hotel: Hotel, tmp_path: Path) -> None:
    profile = tmp_path / "ours.toml"
    profile.write_text(HOTEL_PROFILE)
    header = "Localizador;Entrada;Salida;Nombre;Apellidos;Situación"
    lines = ["A;03/04/2030;05/04/2030;Ana;Lima;Firme", "B;03/04/2030;05/04/2030;Eva;Ruiz;ANULADA"]
    file = write_lines(tmp_path / "reservas.csv", *lines, header=header)
    report = run(file, profile=str(profile))
    assert (report["profile"], report["created"], report["left_out"]) == ("ours", 2, 0)
    assert {n: (r.guest_name, f"{r.arrival}", r.status) for n, r in stored().items()} == {
        "A": ("Ana Lima", "2030-04-03", "booked"),
        "B": ("Eva Ruiz", "2030-04-03", "cancelled"),
    }
    assert "Our system" in output_of(file, profile=str(profile))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("columns = 1", "must be tables"),
        ("[columns]\nnumber = 1", "must be a column name or a list"),
        ('[statuses]\nX = "gone"', 'The status of "X" must be one of: booked'),
        ('date_format = "dmy"', "day-first or month-first"),
        ("colums = 1", "Unknown key: colums"),
        ("=", "Invalid"),
    ],
)
def test_invalid_file_with_a_vendor_profile_is_rejected(
    in_hotel: Hotel, tmp_path: Path, content: str, message: str
) -> None:
    profile = tmp_path / "ours.toml"
    profile.write_text(content)
    with pytest.raises(CommandError, match=message) as error:
        run(EXPORTS / "sep-line.csv", profile=str(profile))
    assert error.value.returncode == 2


def test_options_for_status_words_and_joined_columns_are_applied(in_hotel: Hotel, tmp_path: Path) -> None:
    header = "id,arrival,departure,First,Last,status"
    file = write_lines(
        tmp_path / "1.csv", "A,2030-05-10,2030-05-12,Ana,Lima,Storniert", "B,2030-05-10,2030-05-12,Eva,,offen",
        header=header,
    )  # fmt: skip
    report = run(file, columns=["guest_name=First+Last"], statuses=["storniert=cancelled"])
    assert report["unknown_statuses"] == {"offen": 1}
    assert {n: (r.guest_name, r.status) for n, r in stored().items()} == {
        "A": ("Ana Lima", "cancelled"), "B": ("Eva", "booked")
    }  # fmt: skip
    assert 'Use --status "offen=STATUS"' in output_of(file, columns=["guest_name=First+Last"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"profile": "cloudbed"}, "Unknown profile: cloudbed.*cloudbeds"),
        ({"statuses": ["ok=fine"]}, "Unknown status: fine. The statuses are: booked"),
        ({"statuses": ["ok"]}, "--status needs a word and a status"),
        ({"columns": ["locator=id"]}, "Unknown field: locator"),
    ],
)
def test_import_command_with_an_invalid_option_exits_with_a_usage_error(
    in_hotel: Hotel, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(CommandError, match=message) as error:
        run(EXPORTS / "sep-line.csv", **options)
    assert error.value.returncode == 2


def test_import_command_exits_with_code_1_if_all_rows_were_rejected(in_hotel: Hotel, tmp_path: Path) -> None:
    header = "id,arrival,departure"
    with pytest.raises(SystemExit) as ended:
        run(write_lines(tmp_path / "bad.csv", "A,someday,2030-05-12", header=header))
    assert ended.value.code == 1
    mixed = ["A,someday,2030-05-12", "B,2030-05-10,2030-05-12"]
    assert run(write_lines(tmp_path / "mixed.csv", *mixed, header=header))["rejected"] == 1


@pytest.mark.parametrize("value", ["1e999", "-1", "nan", "99999", "two", "1e400", "٣x"])
def test_absurd_number_of_adults_is_reported_as_an_error_in_the_cell(
    in_hotel: Hotel, tmp_path: Path, value: str
) -> None:
    file = write_lines(
        tmp_path / "1.csv", f"A,2030-05-10,2030-05-12,{value}", header="id,arrival,departure,adults"
    )
    run(file, rejects=tmp_path / "errors.csv")
    assert errors_of(tmp_path / "errors.csv") == [(2, "adults", value, "invalid number", "cell left out")]
    assert Reservation.objects.get().adults == 1


def test_file_of_rejected_rows_can_be_opened_in_a_spreadsheet(in_hotel: Hotel, tmp_path: Path) -> None:
    run(EXPORTS / "one-bad-contact.csv", rejects=tmp_path / "errors.csv")
    rows = list(csv.DictReader((tmp_path / "errors.csv").read_text().splitlines()))
    assert list(rows[0]) == ["line", "number", "column", "value", "reason", "detail", "result"]
