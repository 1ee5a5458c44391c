"""The functions that the benchmark `stored_backups` measures: encrypted backups, and pg_dump of the same schemas.

The module `contestants` runs these functions in a process in which Django is set up.
"""

import os
import subprocess
import time
from pathlib import Path

from django.conf import settings

from tenants.context import platform_context
from tenants.errors import DomainError
from tenants.lifecycle import pgtools
from tenants.lifecycle.stored_backups.age_encryption import create_key_file
from tenants.lifecycle.stored_backups.create import make_backups
from tenants.lifecycle.stored_backups.drill import run_drills
from tenants.lifecycle.stored_backups.names import hotel_target
from tenants.models import Hotel
from tests.benchmarks.side_import import create_bench_hotel, import_bookings, write_bookings
from tests.benchmarks.side_ours import fill_directly

__all__ = ["create_bench_hotel", "fill_directly", "import_bookings", "write_bookings"]


def set_storage(folder: str) -> None:
    """Store backups in the folder, encrypted with a new key."""
    settings.BACKUP_URL = f"file://{folder}/storage"
    Path(folder, "storage").mkdir()
    settings.BACKUP_IDENTITY_FILE = f"{folder}/backup.key"
    settings.BACKUP_RECIPIENTS = [create_key_file(Path(folder, "backup.key"))]


def _hotels(slug_prefix: str) -> list[Hotel]:
    with platform_context():
        return list(Hotel.objects.filter(slug__startswith=slug_prefix).order_by("slug"))


def back_up(slug_prefix: str, share: int, shares: int) -> float:
    """Back up the hotels of one share to the storage, and return the duration in seconds.

    The hotels are divided into `shares` shares, and `share` is the index of one of these.
    """
    hotels = _hotels(slug_prefix)[share::shares]
    started = time.perf_counter()
    for outcome in make_backups([(hotel_target(hotel.id), hotel.id) for hotel in hotels]):
        if isinstance(outcome, DomainError):
            raise outcome
    return time.perf_counter() - started


def stored_bytes(slug_prefix: str) -> float:
    """Return the size of the newest backups of these hotels in bytes."""
    with platform_context():
        return float(
            sum(hotel.backup_state.size for hotel in Hotel.objects.filter(slug__startswith=slug_prefix))
        )


def drill(slug_prefix: str) -> float:
    """Restore the newest backup of each hotel in a drill, and return the seconds for all hotels."""
    targets = [(hotel_target(hotel.id), hotel.id) for hotel in _hotels(slug_prefix)]
    started = time.perf_counter()
    if problems := [result.error for result in run_drills(targets=targets) if result.error]:
        raise RuntimeError(problems[0])
    return time.perf_counter() - started


def dump(slug_prefix: str, share: int, shares: int, folder: str) -> float:
    """Dump the schema of each hotel of one share to a file with pg_dump. Return the duration in seconds."""
    program = pgtools.find_program("pg_dump", major=15, tls=False)
    url = os.environ["DATABASE_DIRECT_URL"]
    hotels = _hotels(slug_prefix)[share::shares]
    started = time.perf_counter()
    for hotel in hotels:
        file = str(Path(folder, f"{hotel.slug}.dump"))
        command = [
            program,
            "--format=custom",
            f"--schema={hotel.schema}",
            f"--file={file}",
            f"--dbname={url}",
        ]
        subprocess.run(command, check=True)
    return time.perf_counter() - started


def dumped_bytes(folder: str) -> float:
    """Return the size of pg_dump's files in bytes, and delete the files."""
    size = 0
    for file in Path(folder).glob("*.dump"):
        size += file.stat().st_size
        file.unlink()
    return float(size)
