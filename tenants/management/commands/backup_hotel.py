"""The command `backup_hotel`, which backs up one hotel to one file."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser
from django.template.defaultfilters import filesizeformat

from tenants import selectors
from tenants.lifecycle.backup.create import backup_hotel
from tenants.management.hotel_command import HotelCommand
from tenants.management.progress import table_progress


class Command(HotelCommand):
    help = (
        "Back up a hotel to one file: its schema, its rows and its rows of the shared tables, from one snapshot. "
        "The hotel stays open during the backup. The file is verified before it gets its name. Only its owner can "
        "read it, and it holds personal data, so store it as safely as the database. --masked creates a copy for "
        "tests without personal data, passwords, API keys and sessions. Restore the file with restore_hotel. "
        "Example: backup_hotel resort --to resort.hotel"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("slug", help="The hotel's slug, as shown by list_hotels.")
        parser.add_argument("--to", required=True, type=Path, metavar="FILE", help="The file to write.")
        parser.add_argument("--force", action="store_true", help="Overwrite an existing file.")
        parser.add_argument(
            "--masked", action="store_true",
            help="Replace names and addresses, and omit API keys, sessions, passwords and the audit trail.",
        )  # fmt: skip

    def run(self, **options: Any) -> None:
        hotel = selectors.get_hotel(slug=options["slug"])
        with table_progress("Backing up", stream=self.stderr, quiet=options["json"]) as progress:
            backup = backup_hotel(
                hotel_id=hotel.id,
                path=options["to"],
                overwrite=options["force"],
                masked=options["masked"],
                progress=progress,
            )
        manifest = backup.manifest
        content = (
            "a masked copy without personal data"
            if manifest.masked
            else "it holds personal data, so store it safely"
        )
        text = (
            f"{hotel.name} was backed up to {backup.path}: {manifest.rows} rows of {len(manifest.tables)} tables, "
            f"{filesizeformat(backup.size)} ({content}).\nThe file was verified. SHA-256: {backup.sha256}"
        )
        document = {
            "slug": hotel.slug,
            "file": str(backup.path),
            "sha256": backup.sha256,
            "bytes": backup.size,
            "created_at": manifest.created_at,
            "masked": manifest.masked,
            "tables": {table.name: table.rows for table in manifest.tables},
            "shared": {table.name: table.rows for table in manifest.shared},
        }
        self.write_result(text, document, as_json=options["json"])
