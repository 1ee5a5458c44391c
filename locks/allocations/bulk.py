"""The insertion of thousands of confirmed stays in one call, for example stays from another system."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from django.db import transaction

from audit.services import record
from hotelagent.core.ids import uuid7
from locks import events
from locks.allocations.changes import lock_rooms
from locks.database import fetch_rows
from locks.owner import holder
from locks.webhooks.event_types import WebhookEvent
from locks.webhooks.publishing import create_deliveries

#: Number of rows per INSERT statement. Larger statements are not noticeably faster.
_BATCH_SIZE = 5000

# Rows are inserted in the order of the exclusion constraint's index, so consecutive rows change the same index pages.
_INSERT = """
INSERT INTO locks_allocation (
    id, group_id, room_id, nights, status, extensions_left, holder, session, reference, reason)
SELECT new.id, new.group_id, new.room_id, daterange(new.check_in, new.check_out), 'confirmed', 0,
    %(holder)s, '', new.reference, ''
FROM unnest(%(ids)s::uuid[], %(groups)s::uuid[], %(rooms)s::int[], %(check_ins)s::date[], %(check_outs)s::date[],
    %(references)s::text[]) AS new (id, group_id, room_id, check_in, check_out, reference)
ORDER BY new.check_in, new.room_id
ON CONFLICT DO NOTHING
RETURNING id
"""


@dataclass(frozen=True, slots=True)
class NewStay:
    """A confirmed stay that `add_stays` or `reallocate` adds.

    If `room` is not available, `reallocate` chooses another room of the type `room_type`, and `add_stays` rejects the
    stay.

    The stays of a booking with several rooms share a `group_id`.
    """

    room: int
    check_in: datetime.date
    check_out: datetime.date
    reference: str = ""
    room_type: str = ""
    id: UUID = field(default_factory=uuid7)
    group_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class AddedStays:
    """The stays that were added, and the stays that were rejected because another allocation occupies the room."""

    added: list[NewStay]
    rejected: list[NewStay]


def add_stays(new_stays: Sequence[NewStay]) -> AddedStays:
    """Add confirmed stays in one transaction, with their webhook deliveries. Past nights are allowed.

    A stay whose room is occupied is rejected. The rooms stay locked until the transaction ends, so add at most a few
    thousand stays per call. Raises RoomNotFound. Raises IntegrityError if a stay has no nights.
    """
    added: set[UUID] = set()
    with transaction.atomic():
        lock_rooms({stay.room for stay in new_stays})
        for start in range(0, len(new_stays), _BATCH_SIZE):
            added |= _insert(new_stays[start : start + _BATCH_SIZE])
        create_deliveries(WebhookEvent.STAY_CREATED, [stay.id for stay in new_stays if stay.id in added])
        record(events.STAYS_ADDED, added=len(added), rejected=len(new_stays) - len(added))
    return AddedStays(
        added=[stay for stay in new_stays if stay.id in added],
        rejected=[stay for stay in new_stays if stay.id not in added],
    )


def _insert(new_stays: Sequence[NewStay]) -> set[UUID]:
    rows = fetch_rows(
        _INSERT,
        {
            "holder": holder(),
            "ids": [stay.id for stay in new_stays],
            "groups": [stay.group_id for stay in new_stays],
            "rooms": [stay.room for stay in new_stays],
            "check_ins": [stay.check_in for stay in new_stays],
            "check_outs": [stay.check_out for stay in new_stays],
            "references": [stay.reference for stay in new_stays],
        },
    )
    return {row["id"] for row in rows}
