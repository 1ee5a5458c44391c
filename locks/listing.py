"""Rows as they are listed: what has lapsed reads as expired, whether or not somebody has noticed."""

from django.db.models import (
    Case,
    CharField,
    Count,
    DateTimeField,
    F,
    Func,
    IntegerField,
    OuterRef,
    QuerySet,
    Subquery,
    Value,
    When,
)
from django.db.models.functions import Coalesce

from locks.models import Allocation, AllocationStatus
from locks.waiting_list.models import WaitingListEntry, WaitingStatus

_NOW = Func(function="clock_timestamp", output_field=DateTimeField())

_STATE = Case(
    When(status=AllocationStatus.HELD, expires_at__lte=_NOW, then=Value(AllocationStatus.EXPIRED)),
    default=F("status"),
    output_field=CharField(),
)

_SECONDS_LEFT = Func(
    F("expires_at"),
    template="greatest(0, floor(extract(epoch FROM %(expressions)s - clock_timestamp())))::int",
    output_field=IntegerField(),
)


def stays() -> QuerySet[Allocation]:
    """All that takes or took a room, with `state` and `seconds_left` by the database's clock."""
    return Allocation.objects.select_related("room").annotate(state=_STATE, seconds_left=_SECONDS_LEFT)


_BEFORE = Subquery(
    WaitingListEntry.objects.filter(
        status=WaitingStatus.WAITING,
        room_type=OuterRef("room_type"),
        nights__overlap=OuterRef("nights"),
        joined_at__lt=OuterRef("joined_at"),
    )
    .order_by()
    .values("status")
    .annotate(number=Count("id"))
    .values("number")
)


def waiting_entries() -> QuerySet[WaitingListEntry]:
    """The waiting list, each who waits with a `place`: 1 + those before for rooms of the type on any of the nights."""
    return WaitingListEntry.objects.select_related("room").annotate(
        place=Case(
            When(status=WaitingStatus.WAITING, then=1 + Coalesce(_BEFORE, 0)), output_field=IntegerField()
        )
    )
