"""The command `erase_hotel`, which deletes a suspended hotel with all its data."""

import sys
from typing import Any

from django.core.management.base import CommandError, CommandParser

from tenants import selectors
from tenants.lifecycle import deletion
from tenants.management.hotel_command import HotelCommand


class Command(HotelCommand):
    help = (
        "Delete a suspended hotel: its schema, its role, its rows in the shared tables, its due items and its keys in "
        "Redis. This cannot be undone. The command asks for the slug again (scripts use --confirm), records a "
        "certificate in the platform's audit trail, and verifies that no data remain. If it is interrupted, either "
        "nothing or everything was deleted: run it again. Example: erase_hotel resort"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("slug", help="The hotel's slug, as shown by list_hotels.")
        parser.add_argument("--confirm", metavar="SLUG", help="The slug again. Required without a terminal.")

    def run(self, **options: Any) -> None:
        hotel = selectors.get_hotel(slug=options["slug"])
        confirmation = options["confirm"]
        if confirmation is None:
            if not sys.stdin.isatty():
                raise CommandError(
                    f"There is no terminal to ask for a confirmation. Use --confirm {hotel.slug}.",
                    returncode=2,
                )
            confirmation = input(
                f"All data of {hotel.name} will be deleted. Type its slug ({hotel.slug}) to continue: "
            )
        certificate = deletion.delete_hotel(hotel_id=hotel.id, confirm=confirmation)
        own_rows, shared_rows = sum(certificate.tables.values()), sum(certificate.shared.values())
        text = (
            f"{hotel.name} was deleted: the schema {certificate.schema} with {own_rows} rows in "
            f"{len(certificate.tables)} tables, {shared_rows} rows of shared tables, its role, and "
            f"{certificate.redis_keys} keys in Redis.\n"
            "Verified: no schema, role, shared row or Redis key remains. "
            "The certificate is in the platform's audit trail (hotel.deleted)."
        )
        self.write_result(text, certificate.as_json(), as_json=options["json"])
