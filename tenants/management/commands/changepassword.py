"""The command `changepassword`, which sets the password of a hotel's or the platform's staff account."""

import getpass
import sys
from typing import Any

from django.core.management.base import CommandError, CommandParser

from tenants.management.hotel_command import HotelCommand, add_tenant_arguments, tenant_context
from tenants.services.staff import set_password


class Command(HotelCommand):
    help = (
        "Set the password of a staff account, for example if it was lost. The account is logged out everywhere. The "
        "password is asked for, or read from standard input if that is not a terminal. "
        "Examples: changepassword eva --platform, changepassword rosa --hotel resort. "
        "Exit codes: 0 changed, 1 no password was entered, 2 wrong usage, an unknown account or a weak password."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        add_tenant_arguments(parser, "staff")
        parser.add_argument("username", help="The user name of the account.")

    def run(self, **options: Any) -> None:
        with tenant_context(options):
            user = set_password(username=options["username"], password=_read_password())
        note = "" if user.is_active else " The account is not active, so it cannot log in."
        self.write_result(
            f"The password of {user.username} was changed.{note}",
            {
                "id": str(user.pk),
                "hotel": options["hotel"],
                "username": user.username,
                "is_active": user.is_active,
            },
            as_json=options["json"],
        )


def _read_password() -> str:
    if not sys.stdin.isatty():
        password = sys.stdin.readline().rstrip("\r\n")
    else:
        password = getpass.getpass("New password: ")
        if password != getpass.getpass("New password (again): "):
            raise CommandError("The passwords are not equal. Nothing was changed.", returncode=1)
    if not password:
        raise CommandError("No password was entered. Nothing was changed.", returncode=1)
    return password
