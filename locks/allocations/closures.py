"""Functions that close and reopen rooms, for example to match the calendar of a booking channel."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

from django.db import transaction

from locks import events
from locks.allocations.changes import lock_rooms, publish
from locks.allocations.locked_rooms import read_occupancy
from locks.allocations.occupancy import Span, merge_spans
from locks.holds import AllocatedRoom
from locks.models import Allocation, AllocationStatus
from locks.owner import holder
from locks.selectors import today


def synchronize_closures(
    *, room: int, spans: Sequence[Span], reference: str, reason: str, reopens: bool = True
) -> tuple[int, int]:
    """Close the room on the nights of `spans`, and reopen it on other nights closed with the same `reference`.

    Nights that another allocation occupies can't be closed. If `reopens` is False, no nights are reopened. Past nights
    are not changed. Return the number of nights that are now closed, and the number of nights that could not be closed.
    Runs in one transaction. Raises RoomNotFound.
    """
    with transaction.atomic():
        lock_rooms([room])
        date = today()
        current = {
            closure.id: (max(closure.check_in, date), closure.check_out)
            for closure in Allocation.objects.filter(
                room_id=room, status=AllocationStatus.CLOSED, reference=reference, nights__endswith__gt=date
            ).select_for_update(no_key=True)
        }
        kept = [] if reopens else list(current.values())
        requested = merge_spans(
            [*kept, *((max(check_in, date), check_out) for check_in, check_out in spans if check_out > date)]
        )
        free = _free_spans(room, requested, excluded=list(current))
        reopen([id_ for id_, span in current.items() if span not in free])
        close(
            room,
            [span for span in free if span not in current.values()],
            reference=reference,
            reason=reason,
        )
    return _count_nights(free), _count_nights(requested) - _count_nights(free)


def exclude_from_closures(*, room: int, span: Span, reference: str, reason: str) -> None:
    """Remove the nights of `span` from the closures of a room whose reference is `reference`.

    The other nights of these closures stay closed. Runs in one transaction. The room stays locked until the end of the
    transaction. Raises RoomNotFound.
    """
    check_in, check_out = span
    with transaction.atomic():
        lock_rooms([room])
        closures = list(
            Allocation.objects.filter(
                room_id=room, status=AllocationStatus.CLOSED, reference=reference, nights__overlap=span
            ).select_for_update(no_key=True)
        )
        reopen([closure.id for closure in closures])
        remaining = [
            part
            for closure in closures
            for part in ((closure.check_in, check_in), (check_out, closure.check_out))
            if part[0] < part[1]
        ]
        close(room, remaining, reference=reference, reason=reason)


def close(room: int, spans: Sequence[Span], *, reference: str, reason: str) -> list[AllocatedRoom]:
    """Close a room for these nights, in the caller's transaction.

    The caller must have locked the room and checked that it is free.
    """
    closures = [
        Allocation(
            room_id=room,
            nights=span,
            status=AllocationStatus.CLOSED,
            holder=holder(),
            reference=reference,
            reason=reason,
        )
        for span in spans
    ]
    Allocation.objects.bulk_create(closures)
    return publish(events.ROOM_CLOSED, [closure.id for closure in closures])


def reopen(ids: Sequence[UUID]) -> None:
    """End closures that the caller has locked, in the caller's transaction."""
    Allocation.objects.filter(id__in=ids).update(status=AllocationStatus.CANCELLED)
    publish(events.ROOM_REOPENED, ids)


def _free_spans(room: int, spans: Sequence[Span], *, excluded: Sequence[UUID]) -> list[Span]:
    """Return the parts of the given spans (ranges of nights) in which the room is free.

    Allocations whose ids are in `excluded` are ignored.
    """
    if not spans:
        return []
    occupancy = read_occupancy([room], spans, excluded=excluded)
    return [free_span for span in spans for free_span in occupancy.free_spans(room, span)]


def _count_nights(spans: Iterable[Span]) -> int:
    return sum((check_out - check_in).days for check_in, check_out in spans)
