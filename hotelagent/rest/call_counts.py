"""The number of API calls of each hotel and day, counted in Redis.

The rate limit already sends a script to Redis for each request, and the script also counts the request. So counting
needs no additional round trip to Redis. An API call is a request with an API key of the hotel that the rate limit
allowed. If Redis loses its data, the calls that were not yet stored in `tenants_hotelusage` are lost.
"""

import datetime
from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

import redis
from django.conf import settings

from tenants.context import Tenant

#: The number of days for which Redis keeps a count.
KEEP_DAYS = 40
TIMEOUT_SECONDS = 5.0


def key_of_today(hotel: Tenant) -> str:
    """Return the Redis key of the hotel's calls on the current day in the hotel's time zone."""
    return _key(hotel, datetime.datetime.now(ZoneInfo(hotel.time_zone)).date())


def read_counts(hotel: Tenant, days: Sequence[datetime.date]) -> dict[datetime.date, int]:
    """Return the number of the hotel's API calls on each of the days. Raises redis.RedisError."""
    if not days:
        return {}
    with redis.Redis.from_url(
        settings.REDIS_URL, socket_timeout=TIMEOUT_SECONDS, socket_connect_timeout=TIMEOUT_SECONDS
    ) as client:
        values: Any = client.mget([_key(hotel, day) for day in days])
    return {day: int(value or 0) for day, value in zip(days, values, strict=True)}


def _key(hotel: Tenant, day: datetime.date) -> str:
    return f"{settings.REDIS_KEY_PREFIX}:calls:{hotel.id}:{day}"
