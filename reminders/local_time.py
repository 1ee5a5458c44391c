"""Conversions between UTC and the local time of a hotel.

A local time that is skipped when daylight saving time begins is moved forward by the length of the gap. If a local time
occurs twice, the first occurrence is used (RFC 5545, section 3.3.5).
"""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.utils import timezone

from tenants.context import current_hotel

#: The local time at which a night is over. Until then, the front desk can still book guests for the night.
NIGHT_ENDS_AT = time(6)


def hotel_time_zone() -> ZoneInfo:
    """Return the time zone of the current hotel."""
    return ZoneInfo(current_hotel().time_zone)


def local_to_utc(day: date, at: time, *, zone: ZoneInfo) -> datetime:
    """Return the UTC time at which clocks in `zone` first show this date and time."""
    return datetime.combine(day, at, tzinfo=zone).astimezone(UTC)


def local_date(at: datetime, *, zone: ZoneInfo) -> date:
    """Return the local date in `zone` at the given time."""
    return at.astimezone(zone).date()


def today() -> date:
    """Return the current date in the hotel's time zone."""
    return local_date(timezone.now(), zone=hotel_time_zone())


def first_open_night() -> date:
    """Return the date of the first night that is not over: yesterday until `NIGHT_ENDS_AT`, and then today.

    Guests who arrive after midnight spend the rest of the night in the room. Hotel software calls this date the
    business date.
    """
    now = timezone.now().astimezone(hotel_time_zone())
    return now.date() - timedelta(days=1) if now.time() < NIGHT_ENDS_AT else now.date()
