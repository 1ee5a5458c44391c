"""The functions that the benchmark `plan_import` measures: an import of bookings, and a COPY of the same rows.

The module `contestants` runs these functions in a process in which Django is set up.
"""

import csv
import datetime
import os
import time
from collections.abc import Iterator
from functools import cache
from itertools import islice
from pathlib import Path

import psycopg

from reminders.reservations.importing.files import BookingsFile
from reminders.reservations.importing.importer import Importer
from reminders.reservations.importing.inspection import ImportOptions
from tenants.context import Tenant, hotel_context, platform_context
from tenants.models import Hotel
from tenants.services import create_hotel
from tests.bookings import HOTELS, Row, booking_rows, is_valid

SLUG = "bench-import"
#: The imported tables, in an order that satisfies the foreign keys.
TABLES = ("locks_room", "locks_allocation", "reminders_reservation", "reminders_reminder", "tenants_dueitem")
#: Added to all dates of the bookings, so that all arrivals are in the future and each booking gets two reminders.
_MOVED_BY = datetime.timedelta(weeks=52 * 20)


def create_bench_hotel() -> None:
    create_hotel(slug=SLUG, name="Bench")


def write_bookings(folder: str, rows: int) -> None:
    """Write a CSV file with `rows` confirmed bookings to the folder."""
    with Path(folder, "bookings.csv").open("w") as stream:
        bookings = islice(_confirmed_bookings(), rows)
        first = next(bookings)
        writer = csv.DictWriter(stream, list(first))
        writer.writeheader()
        writer.writerow(first)
        writer.writerows(bookings)


def _confirmed_bookings() -> Iterator[Row]:
    for hotel in HOTELS:
        for row in booking_rows(hotel):
            if is_valid(row):
                dates = {
                    name: f"{datetime.date.fromisoformat(row[name]) + _MOVED_BY}"
                    for name in ("booked_on", "check_in", "check_out", "status_date")
                }
                yield row | dates | {"hotel": "Bench", "status": "Confirmed"}


def import_bookings(folder: str) -> float:
    """Import the file of bookings, and return the time in seconds from opening the file to the last commit."""
    _empty()
    with hotel_context(_tenant()):
        started = time.perf_counter()
        importer = Importer(BookingsFile(Path(folder, "bookings.csv")), ImportOptions())
        report = importer.run()
        seconds = time.perf_counter() - started
    if report.rejected or report.created * 2 != report.reminders.scheduled:
        raise RuntimeError(f"{report}")
    return seconds


def copy_rows(folder: str) -> float:
    """Save the imported rows to files in `folder`, empty the tables, and load the files into the tables with COPY.

    The COPY runs in one transaction. Return the time in seconds that the COPY took.
    """
    _save_rows(folder)
    _empty()
    with _connect() as connection, connection.cursor() as cursor:
        started = time.perf_counter()
        for table in TABLES:
            with cursor.copy(f"COPY {table} FROM STDIN") as into, _file(folder, table).open("rb") as stream:
                while block := stream.read(65_536):
                    into.write(block)
        connection.commit()
        return time.perf_counter() - started


def _save_rows(folder: str) -> None:
    with _connect() as connection, connection.cursor() as cursor:
        for table in TABLES:
            with cursor.copy(f"COPY {table} TO STDOUT") as rows, _file(folder, table).open("wb") as stream:
                stream.writelines(rows)


def _file(folder: str, table: str) -> Path:
    return Path(folder, f"{table}.copy")


def _empty() -> None:
    with _connect() as connection:
        connection.execute(f"TRUNCATE {', '.join(TABLES)} CASCADE")


def _connect() -> "psycopg.Connection[tuple[object, ...]]":
    """Return a psycopg connection that Django does not manage. Its search path is the benchmark hotel's schema."""
    connection = psycopg.connect(os.environ["HOTELAGENT_TEST_SUPERUSER_URL"])
    connection.execute(f'SET search_path TO "{_tenant().schema}", public')
    return connection


@cache
def _tenant() -> Tenant:
    with platform_context():
        return Hotel.objects.get(slug=SLUG).tenant
