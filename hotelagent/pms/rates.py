"""The hotel's own rate table: its changes, and the price of a stay."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from decimal import Decimal

from django.db import transaction

from audit.registry import EventType
from audit.services import record
from hotelagent.pms import events
from hotelagent.pms.models import Rate
from locks.nights import Nights


def save_rate(rate: Rate, *, is_new: bool) -> None:
    """Insert or update a validated rate, and record the change in the audit trail."""
    with transaction.atomic():
        rate.save(force_insert=is_new)
        _record(events.RATE_ADDED if is_new else events.RATE_CHANGED, rate)


def delete_rate(rate: Rate) -> None:
    """Delete a rate, and record the deletion in the audit trail."""
    with transaction.atomic():
        _record(events.RATE_DELETED, rate)
        rate.delete()


def _record(event_type: EventType, rate: Rate) -> None:
    record(
        event_type,
        subject=("rate", rate.id),
        room_type=rate.room_type,
        first_night=rate.first_night,
        last_night=rate.last_night,
        price=str(rate.price),
    )


def price_of_stay(*, room_type: str, nights: Nights) -> Decimal | None:
    """Return the price of one room for all nights, in the hotel's currency. Runs one query.

    Return None if a night has no rate, or if the rate of the first night requires a longer stay.
    """
    rates = list(
        Rate.objects.filter(
            room_type=room_type, first_night__lt=nights.check_out, last_night__gte=nights.check_in
        )
    )
    total = Decimal(0)
    for date in nights.dates():
        rate = rate_of_night(rates, date)
        if rate is None or (date == nights.check_in and nights.count < rate.minimum_nights):
            return None
        total += rate.price
    return total


def rate_of_night(rates: Sequence[Rate], date: datetime.date) -> Rate | None:
    """Return the rate of a night: the matching rate with the shortest range, or the newest if several are as short.

    A rate for some days, such as a trade fair, therefore overrides the rate of the season.
    """
    matching = [
        rate
        for rate in rates
        if rate.first_night <= date <= rate.last_night
        and (not rate.weekdays or date.isoweekday() in rate.weekdays)
    ]
    return min(matching, key=lambda rate: (rate.last_night - rate.first_night, -rate.id.int), default=None)
