"""The command `resume_hotel`, which lifts the suspension of a hotel."""

from typing import Any

from django.core.management.base import CommandParser

from tenants import selectors, services
from tenants.management.hotel_command import HotelCommand, hotel_as_json


class Command(HotelCommand):
    help = (
        "Activate a suspended hotel again. Its hosts respond within a second, and its overdue items are processed. "
        "Example: resume_hotel resort"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("slug", help="The hotel's slug, as shown by list_hotels.")

    def run(self, **options: Any) -> None:
        hotel = services.resume_hotel(hotel_id=selectors.get_hotel(slug=options["slug"]).id)
        self.write_result(f"{hotel.name} is active.", hotel_as_json(hotel), as_json=options["json"])
