"""The command `audit_continue` lets an audit trail continue with a new log if its log cannot be sealed."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from audit.sealing import logs
from audit.sealing.hotels import start_new_log
from tenants.database.connections import direct_connection
from tenants.management.hotel_command import HotelCommand, add_tenant_arguments, selected_tenant


class Command(HotelCommand):
    help = (
        "Continue an audit trail with a new log, which names the size and the root of the current log. Use this only "
        "if the current log cannot be sealed any more for a known reason: the database was copied from another server, "
        "or the key was lost. First verify the current log with audit_verify, and keep its newest checkpoint. All "
        "events are sealed again in the new log. The current log is closed and kept.  "
        "Examples: audit_continue --hotel resort --yes; audit_continue --platform --yes"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        add_tenant_arguments(parser, "audit trail")
        parser.add_argument(
            "--yes", action="store_true", help="Confirm that the current log is to be closed."
        )

    def run(self, **options: Any) -> None:
        tenant = selected_tenant(options)
        if not options["yes"]:
            raise CommandError(
                "Nothing was changed. Confirm with --yes that the current log is to be closed.", returncode=2
            )
        current = logs.find_log(tenant.id)
        if current is None:
            raise CommandError("This trail has no log yet, so there is nothing to continue.")
        with direct_connection():
            new = start_new_log(tenant, predecessor=current)
        self.write_result(
            f"The log {current.origin} is closed, and {new.origin} continues it.",
            {"closed": current.origin, "log": new.origin},
            as_json=options["json"],
        )
