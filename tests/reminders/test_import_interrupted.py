"""Tests of an import in a separate process. The tests kill the process or measure its memory use."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from locks.models import Allocation
from reminders.models import Reminder, Reservation
from tenants.models import DueItem, Hotel
from tests.programs import run_python, running_python

pytestmark = pytest.mark.django_db(transaction=True)
COLUMNS = ["booking_id", "check_in", "check_out", "adults", "room_type", "guest_name", "guest_email"]


def write_bookings(path: Path, rows: int) -> Path:
    first = date(2035, 1, 1)
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(COLUMNS)
        for n in range(rows):
            arrival = first + timedelta(days=n % 900)
            writer.writerow(
                [f"K{n}", arrival, arrival + timedelta(days=2), 2, "A", "Ana Lima", f"k{n}@example.com"]
            )
    return path


def import_command(file: Path) -> tuple[str, ...]:
    return ("manage.py", "import_reservations", str(file), "--hotel", "alpha", "--json")


def run_import(file: Path) -> dict[str, Any]:
    """Import the file in a separate process, and return the import report."""
    done = run_python(*import_command(file), environment=None)
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def test_import_that_was_killed_is_completed_by_the_next_import(in_hotel: Hotel, tmp_path: Path) -> None:
    rows = 8_000
    file = write_bookings(tmp_path / "bookings.csv", rows)
    with running_python(*import_command(file)) as process:
        deadline = time.monotonic() + 60
        while not Reservation.objects.exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    stored = Reservation.objects.count()
    assert 0 < stored < rows  # some batches are stored, each completely
    assert (Allocation.objects.count(), Reminder.objects.count()) == (stored, 2 * stored)

    report = run_import(file)
    assert (report["rows"], report["unchanged"], report["created"]) == (rows, stored, rows - stored)
    assert report["stays_in_another_room"] == 0
    assert Reservation.objects.count() == Reservation.objects.values("external_id").distinct().count() == rows
    assert Allocation.objects.count() == rows
    assert Reminder.objects.count() == DueItem.objects.filter(kind="reminder").count() == 2 * rows


#: A program that runs a command, and then prints the maximum memory of the process in KiB.
#: `ru_maxrss` would include the memory that the parent process had when it started this process.
#: VmHWM does not include the memory of the parent process.
_MEASURED_COMMAND = r"""
import re, sys
from pathlib import Path
from django.core.management import execute_from_command_line
execute_from_command_line(sys.argv)
print(re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[1])
"""


def test_import_of_three_times_as_many_rows_needs_no_more_memory(tmp_path: Path) -> None:
    def max_memory(rows: int, hotel: str) -> int:
        file = write_bookings(tmp_path / f"{rows}.csv", rows)
        result = subprocess.run(
            [
                sys.executable,
                "-c",
                _MEASURED_COMMAND,
                "import_reservations",
                str(file),
                "--hotel",
                hotel,
            ],
            cwd=settings.BASE_DIR,
            env={**os.environ, "DATABASE_URL": settings.DATABASE_URL},
            capture_output=True,
            text=True,
            check=True,
        )
        return int(re.findall(r"\d+", result.stdout)[-1])

    small, large = max_memory(4_000, "beta"), max_memory(12_000, "alpha")
    # The values are in KiB. Each of the 8,000 additional rows needs about 100 bytes, in total 0.8 MiB.
    assert large - small < 2 * 1024, (small, large)


def test_admin_names_the_import_as_the_creator_of_imported_stays(
    in_hotel: Hotel, staff: Client, tmp_path: Path
) -> None:
    run_import(write_bookings(tmp_path / "bookings.csv", 1))
    stay = Allocation.objects.get()
    page = staff.get(f"/admin/locks/allocation/{stay.pk}/change/").content.decode()
    assert "command:import_reservations" not in page
    assert ">Import<" in re.sub(r"\s+", "", page)
