"""The command `dlq_pause`, which pauses the retries of failures."""

from typing import Any

from django.core.management.base import CommandParser

from dlq.retention import pauses
from tenants.management.hotel_command import HotelCommand, add_tenant_arguments, tenant_context


class Command(HotelCommand):
    help = (
        "Pause the retries of failures with one name, or of all failures of a hotel or of the platform. Failures are "
        "captured as usual. If the retry of a failure becomes due during the pause, the age limit of 7 days begins "
        "again when dlq_resume ends the pause.  "
        "Examples: dlq_pause --hotel resort --kind reminders.send; dlq_pause --hotel resort"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        add_tenant_arguments(parser, "failures")
        parser.add_argument("--kind", metavar="NAME", default="", help="Pause only failures with this name.")

    def run(self, **options: Any) -> None:
        with tenant_context(options):
            is_change = pauses.pause(name=options["kind"])
            current = pauses.current_pauses()
        text = "The retries of {} are paused." if is_change else "The retries of {} were already paused."
        self.write_result(
            text.format(options["kind"] or "all failures"),
            {"changed": is_change, "all_kinds": current.all_kinds, "kinds": list(current.kinds)},
            as_json=options["json"],
        )
