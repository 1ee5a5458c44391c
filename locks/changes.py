"""What follows from a change of stays: webhooks are told, and who waits gets a turn (migration 0004)."""

from collections.abc import Sequence
from uuid import UUID

from locks.holds import rows
from tenants.context import current_hotel


def announce(event: str, ids: Sequence[UUID]) -> bool:
    """Say in the caller's transaction that this happened to these stays.

    `event` is a webhook's topic, or where a stay frees its room another event of the trail. Call it before the stays
    are moved: what counts is the room and the nights that they leave. For `hold.created`: whether somebody waits who
    could have one of these rooms now, were it not for these holds.
    """
    if not ids:
        return False
    [row] = rows(
        "SELECT locks_changed(%(hotel)s, %(event)s, %(ids)s::uuid[]) AS passed_over",
        {"hotel": current_hotel().id, "event": event, "ids": list(ids)},
    )
    return bool(row["passed_over"])
