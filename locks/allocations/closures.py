"""Nights on which another system has closed a room."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from django.db import transaction

from audit.services import record_many
from hotelagent.core.ids import uuid7
from locks import events, sql
from locks.allocations.locked_rooms import who_is_where
from locks.allocations.occupancy import Span, merged
from locks.holds import held_rooms, rows
from locks.models import AllocationStatus
from locks.owner import holder
from locks.selectors import today
from locks.services.desk import lock_rooms
from locks.webhooks.publishing import publish

# All of them, those that have begun too: the nights that are over are not counted.
_CLOSED = """
SELECT stay.id, greatest(lower(stay.nights), %(today)s) AS check_in, upper(stay.nights) AS check_out
FROM locks_allocation stay
WHERE stay.room_id = %(room)s AND stay.status = 'closed' AND stay.reference = %(reference)s
  AND upper(stay.nights) > %(today)s
FOR NO KEY UPDATE
"""


def synchronize_closures(*, room: int, spans: Sequence[Span], reference: str, reason: str) -> tuple[int, int]:
    """Have a room out of service on these nights, as far as nothing else has it, and on no others.

    `reference` says whose nights they are: nobody else's are touched. Nights that are over are left as they are.
    Returns how many are closed, and how many something else has. One transaction; the same again changes nothing.
    Raises RoomNotFound.
    """
    with transaction.atomic():
        lock_rooms([room])
        day = today()
        ours = rows(_CLOSED, {"room": room, "reference": reference, "today": day})
        ahead = merged((max(begins, day), ends) for begins, ends in spans if ends > day)
        wanted = _free(room, ahead, but=[row["id"] for row in ours])
        closed = {(row["check_in"], row["check_out"]) for row in ours}
        _open([row["id"] for row in ours if (row["check_in"], row["check_out"]) not in wanted])
        _close(room, [span for span in wanted if span not in closed], reference=reference, reason=reason)
    return _nights(wanted), _nights(ahead) - _nights(wanted)


def _free(room: int, spans: Sequence[Span], *, but: Sequence[Any]) -> list[Span]:
    """The nights of these spans that nothing has, in as few spans as can be."""
    if not spans:
        return []
    house = who_is_where(spans, [room], but=but)
    return [run for span in spans for run in house.free_runs(room, span)]


def _nights(spans: Iterable[Span]) -> int:
    return sum((ends - begins).days for begins, ends in spans)


def _open(ids: Sequence[UUID]) -> None:
    if not ids:
        return
    ended = held_rooms(sql.END, {"ids": ids, "status": AllocationStatus.CLOSED})
    record_many(events.ROOM_REOPENED, [(("hold", stay.id), stay.dates) for stay in ended])
    publish(events.ROOM_REOPENED.name, ids)


def _close(room: int, spans: Sequence[Span], *, reference: str, reason: str) -> None:
    if not spans:
        return
    made = held_rooms(
        sql.TAKE_OUT_OF_SERVICE,
        {
            "ids": [uuid7() for _ in spans],
            "room": room,
            "check_ins": [begins for begins, _ends in spans],
            "check_outs": [ends for _begins, ends in spans],
            "holder": holder(),
            "reference": reference,
            "reason": reason,
        },
    )
    record_many(events.ROOM_CLOSED, [(("hold", stay.id), {**stay.dates, "reason": reason}) for stay in made])
