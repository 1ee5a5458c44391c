"""The nights of a hold, a stay or a closure: a range of dates `[check_in, check_out)`."""

import datetime
from dataclasses import dataclass

from django.utils.translation import gettext as _

from locks import policy
from locks.errors import InvalidDateRange


@dataclass(frozen=True, slots=True)
class Nights:
    """A valid range of 1 to `limit` nights. Past nights are allowed.

    Raises InvalidDateRange if the range is not valid.
    """

    check_in: datetime.date
    check_out: datetime.date
    limit: int = policy.MAX_NIGHTS

    def __post_init__(self) -> None:
        if self.count < 1:
            raise InvalidDateRange(_("Check-out must be after check-in."))
        if self.check_out > policy.MAX_DATE:
            raise InvalidDateRange(_("Check-out can't be after {date}.").format(date=policy.MAX_DATE))
        if self.count > self.limit:
            raise InvalidDateRange(
                _("The dates span {nights} nights (limit: {limit}).").format(
                    nights=self.count, limit=self.limit
                )
            )

    @property
    def count(self) -> int:
        """The number of nights."""
        return (self.check_out - self.check_in).days

    def dates(self) -> list[datetime.date]:
        """Return the dates on which the nights begin."""
        return [self.check_in + datetime.timedelta(days=day) for day in range(self.count)]

    def __str__(self) -> str:
        return _("{check_in} to {check_out}").format(check_in=self.check_in, check_out=self.check_out)
