"""Holds whose time is up. Nothing depends on this to be right: whoever asks for a room looks at the clock."""

from collections.abc import Sequence
from uuid import UUID

from django.db import transaction

from audit.services import record_many
from locks import events, metrics, sql
from locks.holds import AllocatedRoom, held_rooms, rows
from locks.nights import Nights
from locks.webhooks.publishing import publish
from tenants.queue import due

# What of these is still to be looked at, and when: holds that were extended or that someone was at work on.
_STILL_HELD = (
    "SELECT id, expires_at FROM locks_allocation WHERE id = ANY(%(ids)s::uuid[]) AND status = 'held'"
)


def expire_holds(*, ids: Sequence[UUID]) -> list[UUID]:
    """End those of these holds that have lapsed; returns them. The others are due again at their own time."""
    with transaction.atomic():
        expired = held_rooms(sql.EXPIRE, {"ids": list(ids)})
        after_expiry(expired)
        held = {row["id"]: row["expires_at"] for row in rows(_STILL_HELD, {"ids": list(ids)})}
        if held:
            due.schedule(kind="hold", items=list(held.items()))
        due.cancel(kind="hold", ids=[hold for hold in ids if hold not in held])
    return [hold.id for hold in expired]


def expire_room(*, room: int, nights: Nights) -> None:
    """End what has lapsed on a room that the caller has locked, in the caller's transaction."""
    after_expiry(
        held_rooms(
            sql.EXPIRE_ROOM, {"room": room, "check_in": nights.check_in, "check_out": nights.check_out}
        )
    )


def after_expiry(expired: Sequence[AllocatedRoom]) -> None:
    """What follows when holds were found to have lapsed, in the transaction that ended them."""
    if not expired:
        return
    due.cancel(kind="hold", ids=[hold.id for hold in expired])
    record_many(
        events.HOLD_EXPIRED,
        [(("hold", hold.id), {**hold.dates, "holder": hold.holder}) for hold in expired],
    )
    publish("hold.expired", [hold.id for hold in expired])
    metrics.ENDED.labels(how="expired").inc(len(expired))
