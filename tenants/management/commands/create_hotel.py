"""The command `create_hotel`, which creates a hotel. The hotel is active when the command ends."""

from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import CommandError, CommandParser
from django.core.validators import validate_email

from hotelagent.core.time_zones import known_time_zones
from tenants import services
from tenants.management.hotel_command import HotelCommand, hotel_as_json
from tenants.models import Language


class Command(HotelCommand):
    help = (
        "Create a hotel with its schema and its role. It is active at <slug>.<platform host> when the command "
        "returns. If the command fails, nothing was created. Example: "
        'create_hotel sol --name "Hotel Sol" --timezone America/Argentina/Buenos_Aires --language es '
        "--manager-email rosa@example.com"
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
        parser.add_argument(
            "--manager-email", default="", metavar="ADDRESS",
            help="Invite the first manager at this address. The link in the e-mail is valid for 7 days.",
        )  # fmt: skip

    def run(self, **options: Any) -> None:
        if options["timezone"] not in known_time_zones():
            raise CommandError(
                f"{options['timezone']!r} is not an IANA time zone. Use one such as Europe/Madrid.",
                returncode=2,
            )
        manager_email = options["manager_email"]
        try:
            if manager_email:
                validate_email(manager_email)
        except ValidationError:
            raise CommandError("--manager-email: not an e-mail address.", returncode=2) from None
        hotel = services.create_hotel(
            slug=options["slug"],
            name=options["name"] or options["slug"].replace("-", " ").title(),
            time_zone=options["timezone"],
            language=options["language"],
            email=options["email"],
            domains=options["domain"],
            manager_email=manager_email,
        )
        text = f"{hotel.name} is active at {hotel.slug}.{settings.PLATFORM_HOST}"
        if manager_email:
            text += f"\nThe worker sends the invitation to {manager_email} within seconds."
        self.write_result(text, hotel_as_json(hotel), as_json=options["json"])
