"""Generated rates of the demonstration hotels. The same seed and day always give the same rates."""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from random import Random

from hotelagent.demo.generator import SEED
from hotelagent.demo.profiles import HotelProfile
from hotelagent.pms.models import Rate

CURRENCY = "EUR"
#: Prices follow the demand only in part, because hotels avoid large differences between two months.
_SHARE_OF_DEMAND = 0.5
_EXPENSIVE_WEEKDAYS_FACTOR = 1.15
_EVENT_FACTOR = 1.4
_EVENT_MINIMUM_NIGHTS = 2


def generate_rates(profile: HotelProfile, *, today: date, seed: int = SEED) -> Iterator[Rate]:
    """Yield unsaved rates of all room types for the current month and the next twelve months.

    Each month has a price, and a higher price for some weekdays. One event in each quarter of a year, such as a trade
    fair or a festival, has the highest price and a minimum stay.
    """
    for offset in range(13):
        year, month = divmod(today.year * 12 + today.month - 1 + offset, 12)
        yield from _rates_of_month(profile, date(year, month + 1, 1), seed=seed)


def _rates_of_month(profile: HotelProfile, first: date, *, seed: int) -> Iterator[Rate]:
    factor = 1 + (profile.month_factors[first.month - 1] - 1) * _SHARE_OF_DEMAND
    last = first.replace(day=calendar.monthrange(first.year, first.month)[1])
    event = _first_night_of_event(profile, first, seed=seed)
    for room_type, price in profile.prices.items():
        yield _rate(room_type, first, last, price=price * factor)
        yield _rate(
            room_type, first, last, price=price * factor * _EXPENSIVE_WEEKDAYS_FACTOR,
            weekdays=profile.expensive_weekdays,
        )  # fmt: skip
        if event is not None:
            yield _rate(
                room_type, event, event + timedelta(days=2), price=price * factor * _EVENT_FACTOR,
                minimum_nights=_EVENT_MINIMUM_NIGHTS,
            )  # fmt: skip


def _first_night_of_event(profile: HotelProfile, first_of_month: date, *, seed: int) -> date | None:
    """Return the first of the three nights of the event in this month. Return None if the event is in another month."""
    quarter = (first_of_month.month - 1) // 3
    random = Random(f"{seed} {profile.name} {first_of_month.year} {quarter}")  # noqa: S311
    month, day = quarter * 3 + random.randint(1, 3), random.randint(1, 26)
    return first_of_month.replace(day=day) if month == first_of_month.month else None


def _rate(
    room_type: str,
    first: date,
    last: date,
    *,
    price: float,
    weekdays: tuple[int, ...] = (),
    minimum_nights: int = 1,
) -> Rate:
    return Rate(
        room_type=room_type,
        first_night=first,
        last_night=last,
        weekdays=list(weekdays),
        price=Decimal(round(price)),
        minimum_nights=minimum_nights,
    )
