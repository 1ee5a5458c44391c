"""`erase_hotel`: all that is stored of a suspended hotel, gone for good."""

import sys
from typing import Any

from django.core.management.base import CommandError, CommandParser

from tenants import selectors
from tenants.lifecycle import deletion
from tenants.management.hotel_command import HotelCommand


class Command(HotelCommand):
    help = (
        "Remove a suspended hotel for good: its schema, its role, its rows in the shared tables, what was due, "
        "its keys in Redis. There is no way back. Asks for the slug again (--confirm for scripts), leaves a "
        "certificate in the platform's audit trail, and shows afterwards that nothing is left. Interrupted, it "
        "has removed nothing, or all of it: run it again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("slug", help="The hotel's slug; list_hotels shows them.")
        parser.add_argument(
            "--confirm", metavar="SLUG", help="The slug once more, where nobody can be asked."
        )

    def work(self, **options: Any) -> None:
        hotel = selectors.get_hotel(slug=options["slug"])
        confirmed = options["confirm"]
        if confirmed is None:
            if not sys.stdin.isatty():
                raise CommandError(f"Say --confirm {hotel.slug}: nobody can be asked here.", returncode=2)
            confirmed = input(f"All that is stored of {hotel.name} will be gone. Its slug again, to go on: ")
        certificate = deletion.delete_hotel(hotel_id=hotel.id, confirm=confirmed)
        rows, shared = sum(certificate.tables.values()), sum(certificate.shared.values())
        text = (
            f"{hotel.name} is erased: the schema {certificate.schema} with {rows} rows in {len(certificate.tables)} "
            f"tables, {shared} rows of shared tables, its role, {certificate.redis_keys} keys in Redis.\n"
            "Looked for afterwards: no schema, no role, no shared row, no key of it is left. "
            "The platform's audit trail says so (hotel.deleted)."
        )
        self.tell(text, certificate.as_json(), as_json=options["json"])
