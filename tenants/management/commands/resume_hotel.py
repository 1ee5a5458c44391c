"""`resume_hotel`: open a suspended hotel again."""

from typing import Any

from django.core.management.base import CommandParser

from tenants import selectors, services
from tenants.management.hotel_command import HotelCommand, described


class Command(HotelCommand):
    help = "Open a suspended hotel again: its hosts answer within a second, and what became due meanwhile is done."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("slug", help="The hotel's slug; list_hotels shows them.")

    def work(self, **options: Any) -> None:
        hotel = services.resume_hotel(hotel_id=selectors.get_hotel(slug=options["slug"]).id)
        self.tell(f"{hotel.name} is open.", described(hotel), as_json=options["json"])
