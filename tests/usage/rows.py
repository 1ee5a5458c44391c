"""Rows of the daily usage, which tests of pages and metrics need."""

import datetime

from tenants.models import Hotel, HotelUsage

DAY = datetime.timedelta(days=1)


def add_usage(hotel: Hotel, day: datetime.date, **numbers: int | None) -> None:
    """Store a row for the day. Numbers that are not given are 0. Call this function in the platform's context."""
    names = (
        "reservations", "stays", "holds", "reminders_sent", "reminders_failed", "api_calls", "failures_open",
        "storage_bytes", "staff",
    )  # fmt: skip
    counted_at = datetime.datetime.combine(day + DAY, datetime.time(1), tzinfo=datetime.UTC)
    HotelUsage.objects.create(
        hotel=hotel, day=day, counted_at=counted_at, **(dict.fromkeys(names, 0) | numbers)
    )
