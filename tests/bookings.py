"""Bookings of a resort hotel and a city hotel, as rows of a CSV file, for tests.

The bookings are generated, and some have defects that occur in real files. If the environment variable `BOOKINGS_FILE`
is set, real bookings are read from that file instead. The hotels in the file are "Resort Hotel" and "City Hotel".
Arrivals are from `FIRST_ARRIVAL` to `LAST_ARRIVAL`.
"""

from __future__ import annotations

import csv
import gzip
import os
from collections.abc import Iterator
from datetime import date
from pathlib import Path

from hotelagent.demo.export import export_rows
from hotelagent.demo.generator import generate_bookings
from hotelagent.demo.profiles import PROFILES

Row = dict[str, str]

HOTELS = [profile.name for profile in PROFILES.values()]
FIRST_ARRIVAL, LAST_ARRIVAL = date(2015, 7, 1), date(2017, 8, 31)
FILE = os.environ.get("BOOKINGS_FILE", "")
#: The origin of the bookings, which tests print.
SOURCE = f"bookings of {FILE}" if FILE else "generated bookings (BOOKINGS_FILE is not set)"
_ALL_ARE_OVER = date(2100, 1, 1)


def booking_rows(hotel: str, *, first: date = FIRST_ARRIVAL, last: date = LAST_ARRIVAL) -> Iterator[Row]:
    """Yield the hotel's bookings with an arrival between two dates (inclusive), with their final status."""
    if not FILE:
        yield from map(_with_defects, _generated(hotel, first=first, last=last))
        return
    with gzip.open(Path(FILE), "rt", newline="") as stream:
        for row in csv.DictReader(stream):
            if row["hotel"] == hotel and f"{first}" <= row["check_in"] <= f"{last}":
                yield row


def has_a_night(row: Row) -> bool:
    """Return whether the booking has at least one night. The import rejects all other bookings."""
    return row["check_in"] < row["check_out"]


def is_valid(row: Row) -> bool:
    """Return whether the booking has at least one night and one adult.

    The import rejects a booking without nights. The import accepts a booking with 0 adults, but ignores the number.
    """
    return has_a_night(row) and int(row["adults"]) > 0


def as_exported_on(row: Row, today: str) -> Row:
    """Return the row as it would be in a file that was exported on the morning of `today`.

    If the booking was cancelled or ended on that day or later, the returned row still has the status "Confirmed".
    """
    return row if row["status_date"] < today else row | {"status": "Confirmed", "status_date": ""}


def _generated(hotel: str, *, first: date, last: date) -> Iterator[Row]:
    profile = next(profile for profile in PROFILES.values() if profile.name == hotel)
    bookings = generate_bookings(profile, first_arrival=first, last_arrival=last)
    return export_rows(bookings, today=_ALL_ARE_OVER)


def _with_defects(row: Row) -> Row:
    """Return the row of a generated booking. A few rows get a defect that occurs in real files, such as 0 adults."""
    number = int(row["booking_id"][1:])
    if number % 149 == 7:
        return row | {"check_out": row["check_in"], "status_date": row["check_in"]}
    if number % 293 == 11:
        return row | {"adults": "0"}
    if number % 241 == 13:
        return row | {"country": "NULL"}
    return row
