"""Confirmed stays by the thousand, for who takes over a hotel's bookings."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from django.db import transaction

from audit.services import record
from hotelagent.core.ids import uuid7
from locks import events, sql
from locks.holds import rows
from locks.owner import holder
from locks.services.desk import lock_rooms

#: Rows of one statement: enough to make the round trip count for little, few enough to keep the text small.
BATCH = 5000


@dataclass(frozen=True, slots=True)
class NewStay:
    """A stay that is to stand in a room, or with `reallocate` in another of `room_type`. `id` becomes the stay's."""

    room: int
    check_in: datetime.date
    check_out: datetime.date
    reference: str = ""
    room_type: str = ""
    id: UUID = field(default_factory=uuid7)


@dataclass(frozen=True, slots=True)
class AddedStays:
    added: list[NewStay]
    rejected: list[NewStay]


def add_stays(new_stays: Sequence[NewStay]) -> AddedStays:
    """Store confirmed stays, past ones too; the constraint judges each, and those it refuses are handed back.

    One transaction, which locks the rooms: rivals for them wait, so hand over some thousand at a time.
    Raises RoomNotFound, and IntegrityError for a range without a night.
    """
    placed: set[UUID] = set()
    with transaction.atomic():
        lock_rooms({placement.room for placement in new_stays})
        for start in range(0, len(new_stays), BATCH):
            placed |= _place(new_stays[start : start + BATCH])
        record(events.STAYS_ADDED, added=len(placed), rejected=len(new_stays) - len(placed))
    return AddedStays(
        added=[placement for placement in new_stays if placement.id in placed],
        rejected=[placement for placement in new_stays if placement.id not in placed],
    )


def _place(batch: Sequence[NewStay]) -> set[UUID]:
    found = rows(
        sql.PLACE,
        {
            "holder": holder(),
            "ids": [placement.id for placement in batch],
            "rooms": [placement.room for placement in batch],
            "check_ins": [placement.check_in for placement in batch],
            "check_outs": [placement.check_out for placement in batch],
            "references": [placement.reference for placement in batch],
        },
    )
    return {row["id"] for row in found}
