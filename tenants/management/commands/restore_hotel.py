"""The command `restore_hotel`, which restores a hotel from a backup file."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser

from tenants.lifecycle.backup.restore import RestoreResult, restore_hotel
from tenants.management.hotel_command import HotelCommand, hotel_as_json
from tenants.management.progress import table_progress
from tenants.models import HotelStatus


class Command(HotelCommand):
    help = (
        "Restore a hotel from a file that backup_hotel wrote, here or on another deployment, under its own slug or "
        "under another one with --slug. Every row is compared with the file before the restore is committed, and an "
        "interruption leaves nothing. A backup of an older version is migrated. The hotel is activated only if no "
        "e-mail can be sent twice. Otherwise it stays suspended, the reasons are printed, and resume_hotel activates "
        "it. The SQL of the file runs as the owner of the database, so restore only files that you trust. "
        "Example: restore_hotel resort.hotel --slug resort-test"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("file", type=Path, help="A file that backup_hotel wrote.")
        parser.add_argument("--slug", help="The slug of the restored hotel (default: the slug in the file).")
        parser.add_argument("--suspended", action="store_true", help="Keep the hotel suspended.")
        parser.add_argument(
            "--discard-due", action="store_true",
            help="Discard overdue items (reminders, retries, holds), which were processed after the backup. "
            "The failures of discarded retries are then in doubt and wait for a person.",
        )  # fmt: skip

    def run(self, **options: Any) -> None:
        with table_progress("Restoring", stream=self.stderr, quiet=options["json"]) as progress:
            result = restore_hotel(
                path=options["file"],
                slug=options["slug"],
                suspended=options["suspended"],
                discard_due=options["discard_due"],
                progress=progress,
            )
        document = {
            **hotel_as_json(result.hotel),
            "keeps_id": result.keeps_id,
            "rows": result.manifest.rows,
            "created_at": result.manifest.created_at,
            "skipped_rows": result.skipped_rows,
            "discarded_items": result.discarded_items,
            "suspension_reasons": result.suspension_reasons,
        }
        self.write_result(_summary(result), document, as_json=options["json"])


def _summary(result: RestoreResult) -> str:
    hotel, manifest = result.hotel, result.manifest
    identity = "with its original id" if result.keeps_id else "with a new id"
    summary = (
        f"{hotel.name} was restored as {hotel.slug}, {identity}: {manifest.rows} rows of {len(manifest.tables)} "
        f"tables, each compared with the file. Its data are from {manifest.created_at}. Later bookings, "
        "cancellations and e-mails are missing."
    )
    lines = [summary]
    lines += [
        f"Skipped because of another hotel: {count} rows of {table}."
        for table, count in result.skipped_rows.items()
    ]
    if result.discarded_items:
        lines.append(f"Discarded as overdue: {result.discarded_items} reminders, retries and holds.")
    if hotel.status == HotelStatus.ACTIVE:
        lines.append(f"The hotel is active at {hotel.slug}.{settings.PLATFORM_HOST}")
    else:
        lines += ["The hotel is suspended:", *(f"- {reason}." for reason in result.suspension_reasons)]
        lines.append(f"When this is resolved, run: manage.py resume_hotel {hotel.slug}")
    return "\n".join(lines)
