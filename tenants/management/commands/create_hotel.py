"""`create_hotel`: a hotel that answers on its host when the command returns."""

import zoneinfo
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from tenants import services
from tenants.management.hotel_command import HotelCommand, described
from tenants.models import Language


class Command(HotelCommand):
    help = (
        "Make a hotel: its row, its schema, its role. It answers at <slug>.<platform host> when this returns, "
        "and nothing of it is left when this fails. Example: "
        'create_hotel sol --name "Hotel Sol" --timezone America/Argentina/Buenos_Aires --language es'
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("slug", help="Its name in the address: letters a-z, digits, hyphens.")
        parser.add_argument("--name", help="Its name for people (default: the slug, capitalised).")
        parser.add_argument(
            "--timezone", default="UTC", help="An IANA time zone such as Europe/Madrid (default: UTC)."
        )
        parser.add_argument(
            "--language", choices=Language.values, default="en", help="Of its pages and mails."
        )
        parser.add_argument("--email", default="", help="Where guests' answers to its mails go.")
        parser.add_argument(
            "--domain", action="append", default=[], help="A domain of its own; may be repeated."
        )

    def work(self, **options: Any) -> None:
        if options["timezone"] not in zoneinfo.available_timezones():
            raise CommandError(
                f"{options['timezone']!r} is no IANA time zone. Try one such as Europe/Madrid.", returncode=2
            )
        hotel = services.create_hotel(
            slug=options["slug"],
            name=options["name"] or options["slug"].replace("-", " ").title(),
            time_zone=options["timezone"],
            language=options["language"],
            email=options["email"],
            domains=options["domain"],
        )
        text = f"{hotel.name} is ready at {hotel.slug}.{settings.PLATFORM_HOST}"
        self.tell(text, described(hotel), as_json=options["json"])
