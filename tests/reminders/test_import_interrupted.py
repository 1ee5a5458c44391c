"""An import that is killed in the middle is finished by the next run; and its memory does not grow with the file."""

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

pytestmark = pytest.mark.django_db(transaction=True)
COLUMNS = ["booking_id", "check_in", "check_out", "adults", "room_type", "guest_name", "guest_email"]


def write(path: Path, rows: int) -> Path:
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


def command(file: Path, *more: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "manage.py", "import_reservations", str(file), "--hotel", "alpha", "--json", *more],
        cwd=settings.BASE_DIR,
        env={
            **os.environ,
            "DATABASE_URL": settings.DATABASE_URL,
            "DATABASE_DIRECT_URL": settings.DATABASE_DIRECT_URL,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(running: "subprocess.Popen[str]") -> dict[str, Any]:
    out, errors = running.communicate(timeout=100)
    assert running.returncode == 0, errors
    found: dict[str, Any] = json.loads(out)
    return found


def test_one_that_is_killed_is_finished_by_the_next_run(in_hotel: Hotel, tmp_path: Path) -> None:
    rows = 12_000
    file = write(tmp_path / "bookings.csv", rows)
    killed = command(file)
    deadline = time.monotonic() + 60
    while not (stored := Reservation.objects.count()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    stored = Reservation.objects.count()
    assert 0 < stored < rows  # it died in the middle, between whole chunks
    assert (Allocation.objects.count(), Reminder.objects.count()) == (stored, 2 * stored)

    report = finish(command(file))
    assert (report["rows"], report["unchanged"], report["stored"]) == (rows, stored, rows - stored)
    assert report["stays_in_another_room"] == 0
    assert Reservation.objects.count() == Reservation.objects.values("external_id").distinct().count() == rows
    assert Allocation.objects.count() == rows
    assert Reminder.objects.count() == DueItem.objects.filter(kind="reminder").count() == 2 * rows


#: Prints the most memory that the process ever had, in KiB, after all that the command printed.
_MEASURED = """
import resource, sys
from django.core.management import execute_from_command_line
execute_from_command_line(sys.argv)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_five_times_the_rows_take_no_more_memory(tmp_path: Path) -> None:
    def most(rows: int, hotel: str) -> int:
        file = write(tmp_path / f"{rows}.csv", rows)
        done = subprocess.run(
            [
                sys.executable,
                "-c",
                _MEASURED,
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
        return int(re.findall(r"\d+", done.stdout)[-1])

    small, large = most(4_000, "beta"), most(20_000, "alpha")
    assert large - small < 8 * 1024, (small, large)  # KiB: 20 bytes a stay, and what the allocator keeps


def test_a_clerk_reads_who_took_the_room(in_hotel: Hotel, staff: Client, tmp_path: Path) -> None:
    finish(command(write(tmp_path / "bookings.csv", 1)))
    page = staff.get("/admin/locks/allocation/").content.decode()
    assert "command:import_reservations" not in page
    assert ">import<" in re.sub(r"\s+", "", page)
