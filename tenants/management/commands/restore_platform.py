"""The command `restore_platform`, which restores the platform's own tables to an empty database."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from tenants.lifecycle.stored_backups.fetch import restore_platform
from tenants.management.hotel_command import HotelCommand


class Command(HotelCommand):
    help = (
        "Restore the platform's own tables from a file that fetch_backup wrote, to the empty database of "
        "DATABASE_DIRECT_URL. The rows of hotels are left out, because restore_hotel restores them from the hotels' "
        "own backups. Run `manage.py migrate` afterwards, then restore_hotel for each hotel. Example: "
        "restore_platform my.platform"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("file", type=Path, help="A file that fetch_backup wrote.")

    def run(self, **options: Any) -> None:
        slugs = restore_platform(path=options["file"])
        listed = "\n".join(f"- {slug}" for slug in slugs)
        text = (
            "The platform was restored. Run `manage.py migrate`, then `manage.py restore_hotel FILE` with the backup "
            f"of each hotel:\n{listed}"
        )
        self.write_result(text, {"hotels": slugs}, as_json=options["json"])
