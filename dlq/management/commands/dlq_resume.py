"""The command `dlq_resume`, which ends a pause of retries."""

from typing import Any

from django.core.management.base import CommandParser

from dlq.retention import pauses
from tenants.management.hotel_command import HotelCommand, add_tenant_arguments, tenant_context


class Command(HotelCommand):
    help = (
        "End a pause that dlq_pause, the REST API or the admin began. The retries that became due during the pause are "
        "made one after the other, and the age limit of 7 days begins again for their failures.  "
        "Examples: dlq_resume --hotel resort --kind reminders.send; dlq_resume --hotel resort"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        add_tenant_arguments(parser, "failures")
        parser.add_argument("--kind", metavar="NAME", default="", help="Resume failures with this name.")

    def run(self, **options: Any) -> None:
        with tenant_context(options):
            is_change = pauses.resume(name=options["kind"])
            current = pauses.current_pauses()
        text = "The retries of {} are resumed." if is_change else "The retries of {} were not paused."
        self.write_result(
            text.format(options["kind"] or "all failures"),
            {"changed": is_change, "all_kinds": current.all_kinds, "kinds": list(current.kinds)},
            as_json=options["json"],
        )
