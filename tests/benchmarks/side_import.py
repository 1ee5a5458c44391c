"""Taking over bookings when it is measured, ours and a bare COPY. Run by `contestants`, with Django set up."""

import csv
import datetime
import gzip
import os
import time
from functools import cache
from pathlib import Path

import psycopg
from django.conf import settings

from reminders.reservations.importing.importer import Importer, Wishes
from reminders.reservations.importing.reading import Source
from tenants.context import Tenant, hotel_context, platform_context
from tenants.models import Hotel
from tenants.services import create_hotel

SHIPPED = Path(settings.BASE_DIR) / "data" / "hotel_bookings.csv.gz"
SLUG = "bench-import"
#: In the order of their foreign keys.
TABLES = ("locks_room", "locks_allocation", "reminders_reservation", "reminders_reminder", "tenants_dueitem")
#: Whole weeks into the future: every guest is still to come, so both rules plan a mail for each.
_LATER = datetime.timedelta(weeks=52 * 20)


def make_hotel() -> None:
    create_hotel(slug=SLUG, name="Bench")


def write(folder: str, rows: int) -> None:
    """So many of the real bookings that can be stored, none of them cancelled."""
    days = ("booked_on", "check_in", "check_out", "status_date")
    with gzip.open(SHIPPED, "rt") as packed, Path(folder, "bookings.csv").open("w") as out:
        reader = csv.DictReader(packed)
        writer = csv.DictWriter(out, reader.fieldnames or [])
        writer.writeheader()
        for row in reader:
            if row["check_in"] < row["check_out"] and row["adults"] != "0" and rows:
                moved = {name: f"{datetime.date.fromisoformat(row[name]) + _LATER}" for name in days}
                writer.writerow(row | moved | {"hotel": "Bench", "status": "Check-Out"})
                rows -= 1


def bring_in(folder: str) -> float:
    """Seconds that the import took, from opening the file to its last commit."""
    _empty()
    with hotel_context(_tenant()):
        began = time.perf_counter()
        importer = Importer(
            Source(Path(folder, "bookings.csv")),
            Wishes(),
            rejected=lambda problem: None,
            advance=lambda done, total: None,
        )
        report = importer.run()
        took = time.perf_counter() - began
    if report.rejected or report.stored * 2 != report.reminders.scheduled:
        raise RuntimeError(f"{report}")
    return took


def copy(folder: str, *tables: str) -> float:
    """Seconds to COPY the rows that the import stored into the same tables, emptied; one transaction."""
    _take_out(folder)
    _empty()
    with _plain() as plain, plain.cursor() as cursor:
        took = 0.0
        for table in TABLES:
            began = time.perf_counter()
            with cursor.copy(f"COPY {table} FROM STDIN") as into, _rows(folder, table).open("rb") as stream:
                while block := stream.read(65_536):
                    into.write(block)
            took += (time.perf_counter() - began) * (table in (tables or TABLES))
        began = time.perf_counter()
        plain.commit()
        return took + time.perf_counter() - began


def _take_out(folder: str) -> None:
    with _plain() as plain, plain.cursor() as cursor:
        for table in TABLES:
            with cursor.copy(f"COPY {table} TO STDOUT") as out, _rows(folder, table).open("wb") as stream:
                stream.writelines(out)


def _rows(folder: str, table: str) -> Path:
    return Path(folder, f"{table}.copy")


def _empty() -> None:
    with _plain() as plain:
        plain.execute(f"TRUNCATE {', '.join(TABLES)} CASCADE")


def _plain() -> "psycopg.Connection[tuple[object, ...]]":
    """A session that is the hotel's own."""
    plain = psycopg.connect(os.environ["HOTELAGENT_TEST_SUPERUSER_URL"])
    plain.execute(f'SET search_path TO "{_tenant().schema}", public')
    return plain


@cache
def _tenant() -> Tenant:
    with platform_context():
        return Hotel.objects.get(slug=SLUG).tenant
