"""`backup_hotel`: one hotel, as it is at this moment, in one file."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser
from django.template.defaultfilters import filesizeformat

from tenants import selectors
from tenants.lifecycle.backup.create import backup_hotel
from tenants.lifecycle.backup.progress import shown
from tenants.management.hotel_command import HotelCommand


class Command(HotelCommand):
    help = (
        "Write one hotel into one file, as it is at this moment: its schema, all its rows, its rows of the shared "
        "tables. Guests and staff go on working meanwhile. The file is read back before it gets its name, can be read "
        "by its owner only, and holds personal data: keep it as you keep the database. --masked makes one without "
        "personal data, passwords, keys and sessions, for trials. restore_hotel brings it back, here or elsewhere. "
        "Example: backup_hotel resort --to resort.hotel"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("slug", help="The hotel's slug; list_hotels shows them.")
        parser.add_argument("--to", required=True, type=Path, metavar="FILE", help="The file to write.")
        parser.add_argument("--force", action="store_true", help="Write over a file that is there already.")
        parser.add_argument(
            "--masked", action="store_true",
            help="Invented names and addresses in place of people's; no key, session, password or audit trail.",
        )  # fmt: skip

    def work(self, **options: Any) -> None:
        hotel = selectors.get_hotel(slug=options["slug"])
        with shown("Backing up", stream=self.stderr, quiet=options["json"]) as progress:
            backup = backup_hotel(
                hotel_id=hotel.id,
                path=options["to"],
                overwrite=options["force"],
                masked=options["masked"],
                progress=progress,
            )
        manifest = backup.manifest
        what = "a masked copy, without personal data" if manifest.masked else "personal data: keep it safe"
        text = (
            f"{hotel.name} is in {backup.path}: {manifest.rows} rows of {len(manifest.tables)} tables, "
            f"{filesizeformat(backup.size)} ({what}).\nRead back and found right. SHA-256 {backup.sha256}"
        )
        document = {
            "slug": hotel.slug,
            "file": str(backup.path),
            "sha256": backup.sha256,
            "bytes": backup.size,
            "made_at": manifest.made_at,
            "masked": manifest.masked,
            "tables": {table.name: table.rows for table in manifest.tables},
            "shared": {table.name: table.rows for table in manifest.shared},
        }
        self.tell(text, document, as_json=options["json"])
