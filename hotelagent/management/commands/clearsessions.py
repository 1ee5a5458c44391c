"""The command `clearsessions`, which deletes the expired sessions of the platform and of all hotels."""

from typing import Any

from tenants import selectors
from tenants.access import cleanup
from tenants.context import hotel_context
from tenants.management.hotel_command import HotelCommand
from tenants.models import HotelStatus


class Command(HotelCommand):
    help = (
        "Delete expired sessions and stored responses of the platform and of all hotels, and print the number of rows. "
        "Workers do this once a day, so you do not need to schedule it. Example: clearsessions"
    )

    def run(self, **options: Any) -> None:
        deleted = cleanup.delete_expired_records()
        for hotel in selectors.list_hotels():
            if hotel.status in {HotelStatus.ACTIVE, HotelStatus.SUSPENDED}:
                with hotel_context(hotel):
                    deleted += cleanup.delete_expired_records()
        self.write_result(f"Deleted {deleted} rows.", {"deleted": deleted}, as_json=options["json"])
