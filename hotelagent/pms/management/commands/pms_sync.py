"""The command `pms_sync`, which imports the changes of a hotel's PMS now."""

import dataclasses
from typing import Any

from django.core.management.base import CommandParser

from hotelagent.pms.synchronization import synchronize
from tenants.context import context_of
from tenants.management.hotel_command import HotelCommand
from tenants.selectors import get_hotel


class Command(HotelCommand):
    help = (
        "Import the bookings that were made, changed or cancelled in the hotel's property management system (PMS) "
        "since the last synchronization. A worker does the same every 10 minutes.  Example: pms_sync --hotel resort"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--hotel", metavar="SLUG", required=True, help="The hotel whose PMS is read.")

    def run(self, **options: Any) -> None:
        with context_of(get_hotel(slug=options["hotel"]).tenant):
            report = synchronize()
        self.write_result(
            f"{report.read} bookings read: {report.created} created, {report.updated} changed, {report.unchanged} "
            f"unchanged, {report.pending} in progress, {report.rejected} rejected. {report.conflicts} to be checked.",
            dataclasses.asdict(report),
            as_json=options["json"],
        )
