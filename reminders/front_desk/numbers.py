"""Numbers of reservations that the front desk creates, such as FD-300510-3: the third reservation of 10 May 2030.

The numbers of property management systems and channels don't begin with `FD-`, so an import does not change these
reservations by accident. If two clerks get the same number, the unique constraint rejects the second reservation.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from reminders.models import Reservation

PREFIX = "FD-"
#: Maximum number of reservations that the front desk can create on one day.
MAX_PER_DAY = 999


def free_numbers(today: date) -> Iterator[str]:
    """Yield the reservation numbers of this day that come after the last used number.

    Concurrent transactions may get the same numbers.
    """
    numbers = [f"{PREFIX}{today:%y%m%d}-{count}" for count in range(1, MAX_PER_DAY + 1)]
    used = set(Reservation.objects.filter(external_id__in=numbers).values_list("external_id", flat=True))
    last = max((index for index, number in enumerate(numbers) if number in used), default=-1)
    yield from numbers[last + 1 :]
