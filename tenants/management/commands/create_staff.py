"""The command `create_staff`, which creates a staff account and prints the account's password once."""

from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError, CommandParser

from tenants.management.hotel_command import HotelCommand, add_tenant_arguments, tenant_context
from tenants.models import User
from tenants.scopes import Role
from tenants.services.staff import create_staff


class Command(HotelCommand):
    help = (
        "Create a staff account for the admin and print its generated password. The password is shown only once; the "
        "user can change it after logging in. Further accounts can be created in the admin. "
        "Example: create_staff rosa --hotel resort --role manager --email rosa@example.com. "
        f"Roles of a hotel: {', '.join(role for role in Role if role is not Role.PLATFORM)}. Role of the platform: "
        f"{Role.PLATFORM}. Exit codes: 0 created, 1 the user name is already in use, 2 wrong usage."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        add_tenant_arguments(parser, "staff")
        parser.add_argument("username", help="The user name for the login.")
        parser.add_argument("--role", required=True, help="The role, which decides the permissions.")
        parser.add_argument("--full-name", default="", help="The name that the admin shows.")
        parser.add_argument("--email", default="", help="The address that receives test e-mails.")

    def run(self, **options: Any) -> None:
        fields = {name: options[name] for name in ("username", "role", "full_name", "email")}
        try:
            User(**fields).clean_fields(exclude=["password", "role"])
        except ValidationError as error:
            reasons = (f"{name}: {' '.join(messages)}" for name, messages in error.message_dict.items())
            raise CommandError("; ".join(reasons), returncode=2) from error
        with tenant_context(options):
            user, password = create_staff(**fields)
        tenant = options["hotel"] or "the platform"
        self.stderr.write(f"{user.username} can log in at {tenant}. The password is shown only once:")
        self.write_result(
            password,
            {"id": str(user.pk), "hotel": options["hotel"], **fields, "password": password},
            as_json=options["json"],
        )
