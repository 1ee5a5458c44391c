"""The command `create_hotel`, which creates a hotel. The hotel is active when the command ends."""

from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from hotelagent.core.time_zones import known_time_zones
from tenants import services
from tenants.management.hotel_command import HotelCommand, hotel_as_json
from tenants.models import Language


class Command(HotelCommand):
    help = (
        "Create a hotel with its schema and its role. It is active at <slug>.<platform host> when the command "
        "returns. If the command fails, nothing was created. Example: "
        'create_hotel sol --name "Hotel Sol" --timezone America/Argentina/Buenos_Aires --language es'
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "slug", help="The first label of its host name: lowercase letters, digits, hyphens."
        )
        parser.add_argument("--name", help="The display name (default: the slug, capitalized).")
        parser.add_argument(
            "--timezone", default="UTC", help="An IANA time zone such as Europe/Madrid (default: UTC)."
        )
        parser.add_argument(
            "--language", choices=Language.values, default="en", help="The language of its pages and e-mails."
        )
        parser.add_argument("--email", default="", help="The address that receives guests' replies.")
        parser.add_argument(
            "--domain", action="append", default=[], help="A custom domain. Repeat it for several."
        )

    def run(self, **options: Any) -> None:
        if options["timezone"] not in known_time_zones():
            raise CommandError(
                f"{options['timezone']!r} is not an IANA time zone. Use one such as Europe/Madrid.",
                returncode=2,
            )
        hotel = services.create_hotel(
            slug=options["slug"],
            name=options["name"] or options["slug"].replace("-", " ").title(),
            time_zone=options["timezone"],
            language=options["language"],
            email=options["email"],
            domains=options["domain"],
        )
        text = f"{hotel.name} is active at {hotel.slug}.{settings.PLATFORM_HOST}"
        self.write_result(text, hotel_as_json(hotel), as_json=options["json"])
