"""The command `erase_staff`, which erases the personal data of a member of staff."""

from typing import Any

from django.core.management.base import CommandParser

from tenants.management.hotel_command import (
    HotelCommand,
    add_tenant_arguments,
    confirm_erasure,
    tenant_context,
)
from tenants.services.staff import erase_staff, find_staff


class Command(HotelCommand):
    help = (
        "Erase the personal data of a member of staff: the user name, full name and e-mail address of the account, and "
        "the name, IP addresses and user agents in the audit trail. The account is deactivated. This cannot be undone. "
        "The events remain, and the audit trail can still be verified. The erasure is applied again when an older "
        "backup of the hotel is restored. "
        "Examples: erase_staff rosa --hotel resort; erase_staff rosa --platform --yes. "
        "Exit codes: 0 erased, 1 not confirmed, 2 wrong usage or unknown user name."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        add_tenant_arguments(parser, "staff")
        parser.add_argument("username", help="The user name of the account.")
        parser.add_argument("--yes", action="store_true", help="Do not ask for a confirmation.")

    def run(self, **options: Any) -> None:
        with tenant_context(options):
            user = find_staff(username=options["username"])
            confirm_erasure(options, f"The data of {user.username} will be erased.")
            erase_staff(user_id=user.id)
        self.write_result(
            f"The personal data of the account {user.id} were erased.",
            {"id": str(user.id), "hotel": options["hotel"]},
            as_json=options["json"],
        )
