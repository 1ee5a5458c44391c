"""`create_staff`: somebody who can log in, with a password that is printed once."""

from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError, CommandParser

from tenants.management.hotel_command import HotelCommand, add_place, place
from tenants.models import User
from tenants.scopes import Role
from tenants.services.staff import create_staff


class Command(HotelCommand):
    help = (
        "Make a member of staff who can log in to the admin, and print the password made for them. It is shown this "
        "once: they set their own after logging in. The others are then made in the admin. "
        "Example: create_staff rosa --hotel resort --role manager --email rosa@example.com. "
        f"Roles of a hotel: {', '.join(role for role in Role if role is not Role.PLATFORM)}; of the platform: "
        f"{Role.PLATFORM}. Exit code 0: made. 1: the user name is taken. 2: wrong usage."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        add_place(parser, "staff")
        parser.add_argument("username", help="What they log in with.")
        parser.add_argument("--role", required=True, help="What they may do.")
        parser.add_argument("--full-name", default="", help="How the admin calls them.")
        parser.add_argument("--email", default="", help="Where test mails go.")

    def work(self, **options: Any) -> None:
        person = {name: options[name] for name in ("username", "role", "full_name", "email")}
        try:
            User(**person).clean_fields(exclude=["password", "role"])
        except ValidationError as error:
            reasons = (f"{name}: {' '.join(texts)}" for name, texts in error.message_dict.items())
            raise CommandError("; ".join(reasons), returncode=2) from error
        with place(options):
            user, password = create_staff(**person)
        where = options["hotel"] or "the platform"
        self.stderr.write(f"{user.username} can log in at {where}. The password is shown this once:")
        self.tell(
            password,
            {"id": str(user.pk), "hotel": options["hotel"], **person, "password": password},
            as_json=options["json"],
        )
