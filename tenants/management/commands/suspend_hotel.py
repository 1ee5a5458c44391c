"""`suspend_hotel`: close a hotel, and keep all of it."""

from typing import Any

from django.core.management.base import CommandParser

from tenants import selectors, services
from tenants.management.hotel_command import HotelCommand, described


class Command(HotelCommand):
    help = (
        "Close an active hotel: within a second its hosts answer 503 and no task of it runs. Its data stay; "
        "resume_hotel opens it again, and what became due meanwhile is done then."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("slug", help="The hotel's slug; list_hotels shows them.")

    def work(self, **options: Any) -> None:
        hotel = services.suspend_hotel(hotel_id=selectors.get_hotel(slug=options["slug"]).id)
        self.tell(f"{hotel.name} is suspended.", described(hotel), as_json=options["json"])
