"""The command `suspend_hotel`, which suspends a hotel and keeps the hotel's data."""

from typing import Any

from django.core.management.base import CommandParser

from tenants import selectors, services
from tenants.management.hotel_command import HotelCommand, hotel_as_json


class Command(HotelCommand):
    help = (
        "Suspend an active hotel. Within a second its hosts respond with 503 and its tasks stop. Its data stay. "
        "resume_hotel activates it again, and its overdue items are processed then. Example: suspend_hotel resort"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("slug", help="The hotel's slug, as shown by list_hotels.")

    def run(self, **options: Any) -> None:
        hotel = services.suspend_hotel(hotel_id=selectors.get_hotel(slug=options["slug"]).id)
        self.write_result(f"{hotel.name} is suspended.", hotel_as_json(hotel), as_json=options["json"])
