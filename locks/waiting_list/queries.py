"""Queries for waiting list entries."""

from django.db.models import Case, Count, IntegerField, OuterRef, QuerySet, Subquery, When
from django.db.models.functions import Coalesce

from locks.waiting_list.models import WaitingListEntry, WaitingStatus

_ENTRIES_AHEAD = Subquery(
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


def entries_with_position() -> QuerySet[WaitingListEntry]:
    """Return the entries of the waiting list, annotated with their `position`.

    The position is the rank, starting with 1, among the waiting entries for the same room type and overlapping nights.
    The position of entries that are not waiting is None.
    """
    return WaitingListEntry.objects.select_related("room").annotate(
        position=Case(
            When(status=WaitingStatus.WAITING, then=1 + Coalesce(_ENTRIES_AHEAD, 0)),
            output_field=IntegerField(),
        )
    )
