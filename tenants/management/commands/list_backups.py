"""The command `list_backups`, which lists the backups in the storage."""

from typing import Any

from django.core.management.base import CommandParser
from django.template.defaultfilters import filesizeformat

from tenants import selectors
from tenants.lifecycle.stored_backups.create import list_backups
from tenants.lifecycle.stored_backups.names import hotel_target
from tenants.lifecycle.stored_backups.storage import get_storage
from tenants.management.hotel_command import HotelCommand
from tenants.models import Hotel


class Command(HotelCommand):
    help = (
        "List the complete backups in the storage that BACKUP_URL names, the newest first, with the names for "
        "fetch_backup. Backups of deleted hotels are listed too. Example: list_backups --hotel resort"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--hotel", metavar="SLUG", help="List the backups of this hotel only.")

    def run(self, **options: Any) -> None:
        target = hotel_target(selectors.get_hotel(slug=options["hotel"]).id) if options["hotel"] else ""
        backups = list_backups(get_storage(), target=target)
        slugs = {hotel_target(id_): slug for id_, slug in Hotel.objects.values_list("id", "slug")}
        lines = [
            f"{backup.created_at:%Y-%m-%d %H:%M} UTC  {filesizeformat(backup.size)}  "
            f"{slugs.get(backup.target, backup.kind)}  {backup.name}"
            for backup in backups
        ]
        document = [
            {
                "name": backup.name,
                "target": backup.target,
                "slug": slugs.get(backup.target, ""),
                "created_at": backup.created_at.isoformat(),
                "bytes": backup.size,
            }
            for backup in backups
        ]
        self.write_result("\n".join(lines) or "There are no backups.", document, as_json=options["json"])
