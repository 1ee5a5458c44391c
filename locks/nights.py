"""The nights that somebody asks for: `[check_in, check_out)`."""

import datetime
from dataclasses import dataclass

from django.utils.translation import gettext as _

from locks import policy
from locks.errors import DatesTooFar, EmptyRange, RangeTooLong


@dataclass(frozen=True, slots=True)
class Nights:
    """At least one night and not too many; whether they are past is for the database's clock to say.

    Raises EmptyRange, DatesTooFar or RangeTooLong.
    """

    check_in: datetime.date
    check_out: datetime.date
    limit: int = policy.MAX_NIGHTS

    def __post_init__(self) -> None:
        if self.count < 1:
            raise EmptyRange(_("From {} to {} there is no night.").format(self.check_in, self.check_out))
        if self.check_out > policy.LAST_DAY:
            raise DatesTooFar(
                _("{} to {} is after {}.").format(self.check_in, self.check_out, policy.LAST_DAY)
            )
        if self.count > self.limit:
            raise RangeTooLong(_("{} nights are asked for; {} are the most.").format(self.count, self.limit))

    @property
    def count(self) -> int:
        return (self.check_out - self.check_in).days

    def days(self) -> list[datetime.date]:
        return [self.check_in + datetime.timedelta(days=day) for day in range(self.count)]

    def __str__(self) -> str:
        return _("{} to {}").format(self.check_in, self.check_out)
