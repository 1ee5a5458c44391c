"""`restore_hotel`: a hotel from a file that `backup_hotel` wrote."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser

from tenants.lifecycle.backup.progress import shown
from tenants.lifecycle.backup.restore import Restored, restore_hotel
from tenants.management.hotel_command import HotelCommand, described
from tenants.models import HotelStatus


class Command(HotelCommand):
    help = (
        "Make the hotel that a backup holds, here or on another deployment: under its own slug where that is free, or "
        "beside the original with --slug. Every row is compared with the file before anything is committed; "
        "interrupted, nothing is left. A backup of older code is migrated. It opens by itself only where nothing can "
        "be sent twice; else it stays suspended and says why, and resume_hotel opens it. "
        "The file's SQL runs as the database's owner: restore only files that you trust. "
        "Example: restore_hotel resort.hotel --slug resort-trial"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("file", type=Path, help="What backup_hotel wrote.")
        parser.add_argument("--slug", help="Its name in the address here (default: the one in the file).")
        parser.add_argument("--suspended", action="store_true", help="Leave it suspended in any case.")

        parser.add_argument(
            "--forget-due", action="store_true",
            help="Never do what is due by now (reminders, retries, holds): it was done after the backup was made.",
        )  # fmt: skip

    def work(self, **options: Any) -> None:
        with shown("Restoring", stream=self.stderr, quiet=options["json"]) as progress:
            restored = restore_hotel(
                path=options["file"],
                slug=options["slug"],
                suspended=options["suspended"],
                forget_due=options["forget_due"],
                progress=progress,
            )
        document = {
            **described(restored.hotel),
            "same_id": restored.same_id,
            "rows": restored.manifest.rows,
            "made_at": restored.manifest.made_at,
            "left_out": restored.left_out,
            "forgotten": restored.forgotten,
            "suspended_because": restored.suspended_because,
        }
        self.tell(_told(restored), document, as_json=options["json"])


def _told(restored: Restored) -> str:
    hotel, manifest = restored.hotel, restored.manifest
    identity = "with its own id" if restored.same_id else "with an id of its own"
    summary = (
        f"{hotel.name} is restored as {hotel.slug}, {identity}: {manifest.rows} rows of {len(manifest.tables)} "
        f"tables, each compared with the file. It is as it was at {manifest.made_at}: what was booked, cancelled or "
        "sent since then is not in it."
    )
    lines = [summary]
    lines += [
        f"Left out, because another hotel has them: {count} rows of {table}."
        for table, count in restored.left_out.items()
    ]
    if restored.forgotten:
        lines.append(
            f"Forgotten, because they were due by now: {restored.forgotten} reminders, retries and holds."
        )
    if hotel.status == HotelStatus.ACTIVE:
        lines.append(f"It is open at {hotel.slug}.{settings.PLATFORM_HOST}")
    else:
        lines += ["It is suspended:", *(f"- {reason}." for reason in restored.suspended_because)]
        lines.append(f"When that is settled: manage.py resume_hotel {hotel.slug}")
    return "\n".join(lines)
