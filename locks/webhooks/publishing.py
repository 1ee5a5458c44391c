"""Functions that publish the webhook events which the database function `locks_publish` does not publish.

These events are `hold.expiring_soon`, `stay.created`, and the events about the status of a stay's reservation.
"""

import datetime
from collections.abc import Sequence
from uuid import UUID

from django.db import transaction

from locks.database import fetch_rows
from locks.webhooks import policy
from locks.webhooks.event_types import WebhookEvent
from tenants.context import current_hotel
from tenants.queue import due
from tenants.unaudited import unaudited

_LIVE_HOLDS = """
SELECT id, expires_at, clock_timestamp() AS now FROM locks_allocation
WHERE id = ANY(%(ids)s::uuid[]) AND status = 'held' AND expires_at > clock_timestamp()
"""

_CREATE_DELIVERIES = """
SELECT locks_create_deliveries(%(hotel)s, %(topic)s, locks_describe(id))
FROM unnest(%(ids)s::uuid[]) AS id
WHERE EXISTS (SELECT FROM locks_webhook WHERE active AND %(topic)s = ANY (events))
"""


@unaudited("It only marks holds as announced.")
def publish_expiring_holds(hold_ids: Sequence[UUID]) -> None:
    """Publish `hold.expiring_soon` for the holds that expire within `policy.EXPIRY_WARNING_SECONDS`.

    A hold that expires later is scheduled again for the time of its warning. Holds that have ended are removed from the
    queue of due items.
    """
    warning = datetime.timedelta(seconds=policy.EXPIRY_WARNING_SECONDS)
    with transaction.atomic():
        live = fetch_rows(_LIVE_HOLDS, {"ids": list(hold_ids)})
        expiring = [row["id"] for row in live if row["expires_at"] - warning <= row["now"]]
        create_deliveries(WebhookEvent.HOLD_EXPIRING_SOON, expiring)
        due.schedule(
            kind="expiring",
            items=[
                (row["id"], row["expires_at"] if row["id"] in expiring else row["expires_at"] - warning)
                for row in live
            ],
        )
        live_ids = {row["id"] for row in live}
        due.cancel(kind="expiring", ids=[hold for hold in hold_ids if hold not in live_ids])


def create_deliveries(event: WebhookEvent, allocation_ids: Sequence[UUID]) -> None:
    """Create the webhook deliveries of an event about each of these allocations, in the caller's transaction."""
    if not allocation_ids:
        return
    fetch_rows(
        _CREATE_DELIVERIES,
        {"hotel": current_hotel().id, "topic": event.value, "ids": list(allocation_ids)},
    )
