"""The command `reset_second_factor`, which turns off the two-factor authentication of an account."""

from typing import Any

from django.core.management.base import CommandParser

from tenants.management.hotel_command import HotelCommand, add_tenant_arguments, tenant_context
from tenants.services.staff import reset_second_factor


class Command(HotelCommand):
    help = (
        "Turn off the two-factor authentication of a staff account, for example if the phone and the recovery codes "
        "were lost. The account is logged out everywhere. If two-factor authentication is required, the user sets it "
        "up again after the next login. Check first that the request really comes from this person. "
        "Examples: reset_second_factor eva --platform, reset_second_factor rosa --hotel resort. "
        "Exit codes: 0 reset, 1 the account has no two-factor authentication, 2 wrong usage or an unknown account."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        add_tenant_arguments(parser, "staff")
        parser.add_argument("username", help="The user name of the account.")

    def run(self, **options: Any) -> None:
        with tenant_context(options):
            user = reset_second_factor(username=options["username"])
        self.write_result(
            f"The two-factor authentication of {user.username} was reset.",
            {"id": str(user.pk), "hotel": options["hotel"], "username": user.username},
            as_json=options["json"],
        )
