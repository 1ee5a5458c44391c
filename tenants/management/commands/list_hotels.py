"""The command `list_hotels`, which lists all hotels with their status and hosts."""

import io
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser
from rich.console import Console
from rich.table import Table

from tenants import selectors
from tenants.management.hotel_command import HotelCommand, hotel_as_json
from tenants.models import HotelStatus


class Command(HotelCommand):
    help = (
        "List the hotels with their status, hosts, time zone and schema. Example: list_hotels --status active"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--status", choices=HotelStatus.values, help="List only hotels with this status.")

    def run(self, **options: Any) -> None:
        hotels = [hotel_as_json(hotel) for hotel in selectors.list_hotels(status=options["status"])]
        if options["json"]:
            self.write_result("", hotels, as_json=True)
            return
        table = Table("slug", "name", "status", "hosts", "time zone", "schema", box=None)
        for hotel in hotels:
            hosts = ", ".join([f"{hotel['slug']}.{settings.PLATFORM_HOST}", *hotel["domains"]])
            table.add_row(
                hotel["slug"], hotel["name"], hotel["status"], hosts, hotel["time_zone"], hotel["schema"]
            )
        text = io.StringIO()
        # A pipe has no width, so use a width at which no text is cut off.
        width = None if self.stdout.isatty() else 200
        Console(file=text, width=width).print(table)
        self.stdout.write(text.getvalue())
