"""Rows as they are listed: what has lapsed reads as expired, whether or not somebody has noticed."""

from django.db.models import Case, CharField, DateTimeField, F, Func, IntegerField, QuerySet, Value, When

from locks.models import Stay, StayStatus

_NOW = Func(function="clock_timestamp", output_field=DateTimeField())

_STATE = Case(
    When(status=StayStatus.HELD, expires_at__lte=_NOW, then=Value(StayStatus.EXPIRED)),
    default=F("status"),
    output_field=CharField(),
)

_SECONDS_LEFT = Func(
    F("expires_at"),
    template="greatest(0, floor(extract(epoch FROM %(expressions)s - clock_timestamp())))::int",
    output_field=IntegerField(),
)


def stays() -> QuerySet[Stay]:
    """All that takes or took a room, with `state` and `seconds_left` by the database's clock."""
    return Stay.objects.select_related("room").annotate(state=_STATE, seconds_left=_SECONDS_LEFT)
