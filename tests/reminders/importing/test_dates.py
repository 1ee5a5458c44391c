"""Tests of date notations, and of how the order of day and month in a column is determined."""

from collections.abc import Iterable
from datetime import date
from pathlib import Path

import pytest
from django.core.management import CommandError

from reminders.models import Reservation
from reminders.reservations.importing.values.dates import DateColumn, DateOrder, decide_orders, parse_date
from tenants.models import Hotel
from tests.reminders.test_import_reservations import output_of, run, write_lines

DAY_FIRST, MONTH_FIRST = DateOrder.DAY_FIRST, DateOrder.MONTH_FIRST
HEADER = "id,arrival,departure,booked_on"


@pytest.mark.parametrize(
    "text",
    [
        "2026-12-15", "2026-12-15T00:00:00", "2026-12-15 23:59:59", "2026-12-15T10:00:00Z", "2026/12/15", "20261215",
        "15-DEC-26", "15 Dec 2026", "15 dec. 2026", "Tue 15 Dec 2026", "Dec 15, 2026", "Tuesday, December 15, 2026",
        "15 de diciembre de 2026", "15. Dezember 2026", "15 décembre 2026", "15th of December 2026", "15/12/2026",
        "12/15/2026", "15.12.2026", "15-12-26", "15/12/2026 14:00", "12/15/2026 2:00 PM", "15 Dec 2026 at 9:05 p.m.",
        "46371", "46371.0", "46371.583333",
    ],
)  # fmt: skip
def test_dates_in_common_notations_are_parsed(text: str) -> None:
    assert parse_date(text) == date(2026, 12, 15)


@pytest.mark.parametrize(
    "text",
    ["", "tomorrow", "31/02/2026", "2026-13-01", "15/12", "12", "99999999", "03/04/2026", "15 Dec", "2026", "1e5",
     "45000 EUR", "15 12 2026 7 8"],
)  # fmt: skip
def test_text_that_is_not_exactly_one_date_is_rejected(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the message is for developers
        parse_date(text)


def test_ambiguous_date_is_parsed_in_the_given_order_of_day_and_month() -> None:
    assert parse_date("03/04/2026", DAY_FIRST) == date(2026, 4, 3)
    assert parse_date("03/04/2026", MONTH_FIRST) == date(2026, 3, 4)
    assert parse_date("04/04/2026") == date(2026, 4, 4)


def column(values: Iterable[str]) -> DateColumn:
    result = DateColumn("Arrival")
    for line, value in enumerate(values, start=2):
        result.add(line, value)
    return result


@pytest.mark.parametrize(
    ("values", "order"),
    [
        (["03/04/2026", "15/04/2026"], DAY_FIRST),
        (["03/04/2026", "04/15/2026"], MONTH_FIRST),
        (["04/04/2026", "05/05/2026"], None),
        (["2026-04-03", "03/04/2026"], None),  # the second date is reported as an invalid cell
        (["2026-04-03", "15-DEC-26"], None),
        ([*(f"{day}/04/2026" for day in range(10, 29)), "04/29/2026"], DAY_FIRST),
    ],
)
def test_order_of_day_and_month_in_a_column_is_determined_from_all_rows(
    values: list[str], order: DateOrder | None
) -> None:
    assert decide_orders({"arrival": column(values)}) == {"arrival": order}


def test_ambiguous_date_column_gets_the_date_order_of_the_other_columns() -> None:
    columns = {"arrival": column(["03/04/2026"]), "departure": column(["13/04/2026"])}
    assert decide_orders(columns) == {"arrival": DAY_FIRST, "departure": DAY_FIRST}


@pytest.mark.django_db
def test_file_with_ambiguous_dates_is_rejected_unless_a_date_format_is_given(
    in_hotel: Hotel, tmp_path: Path
) -> None:
    file = write_lines(tmp_path / "1.csv", "A,03/04/2030,05/04/2030,2029-12-01", header=HEADER)
    with pytest.raises(CommandError) as error:
        run(file)
    message = str(error.value)
    assert '"arrival", "departure" can be read in two ways: 03/04/2030 in line 2' in message
    assert "is 2030-04-03 (day first) or 2030-03-04 (month first)." in message
    assert "Choose one with --date-format day-first or" in message
    assert error.value.returncode == 1
    assert not Reservation.objects.exists()
    run(file, date_format="day-first")
    assert Reservation.objects.get().arrival == date(2030, 4, 3)
    assert "day-first" in output_of(file, date_format="day-first")


@pytest.mark.django_db
def test_ambiguous_date_in_one_optional_cell_is_ignored(in_hotel: Hotel, tmp_path: Path) -> None:
    lines = [f"N{n},2030-04-0{n},2030-04-1{n},2030-01-0{n}" for n in range(1, 9)]
    file = write_lines(tmp_path / "1.csv", *lines, "A,2030-04-03,2030-04-05,03/04/2030", header=HEADER)
    report = run(file)
    assert (report["created"], report["left_out_by_reason"]) == (9, {"invalid date": 1})
    assert Reservation.objects.get(external_id="A").booked_on is None


@pytest.mark.django_db
def test_detecting_the_date_order_of_many_different_timestamps_needs_little_memory(
    in_hotel: Hotel, tmp_path: Path
) -> None:
    result = DateColumn("booked_on")
    for minute in range(20_000):
        result.add(minute, f"03/04/2030 {minute // 60 % 24}:{minute % 60:02}:{minute // 1440:02}")
    assert len(result._seen) <= 5_001
    assert result.undecided == 20_000
