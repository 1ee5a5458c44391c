"""Functions that pause the deliveries of a webhook that is turned off, and resume them when it is turned on again.

Both operations lock the webhook's row before its deliveries, so that they never run at the same time.
"""

from uuid import UUID

from django.db import transaction

from audit.services import record
from locks.database import fetch_rows
from locks.webhooks import events
from locks.webhooks.models import Webhook
from locks.webhooks.transport import host_of
from tenants.queue import due

_PAUSE = """
UPDATE locks_webhookdelivery SET status = 'paused' WHERE webhook_id = %(webhook)s AND status = 'pending' RETURNING id
"""
_RESUME = """
UPDATE locks_webhookdelivery SET status = 'pending', attempts = 0, error = NULL
WHERE webhook_id = %(webhook)s AND status = 'paused' RETURNING id, clock_timestamp() AS now
"""


def pause_deliveries(webhook_id: UUID) -> None:
    """Pause the pending deliveries of the webhook if the webhook is not active."""
    with transaction.atomic():
        inactive = Webhook.objects.select_for_update(no_key=True).filter(id=webhook_id, active=False)
        if inactive.first() is not None:
            paused = fetch_rows(_PAUSE, {"webhook": webhook_id})
            due.cancel(kind="webhook", ids=[row["id"] for row in paused])


def resume_deliveries(webhook_id: UUID) -> None:
    """Make the paused deliveries of a webhook due, in the transaction that turns the webhook on.

    The attempts of these deliveries are counted from zero again.
    """
    resumed = fetch_rows(_RESUME, {"webhook": webhook_id})
    due.schedule(kind="webhook", items=[(row["id"], row["now"]) for row in resumed], keep_initiator=True)


def turn_off_webhook(webhook: Webhook, *, reason: str) -> None:
    """Turn the webhook off and record the reason, in the caller's transaction.

    Do nothing if the webhook is already off.

    `reason` is `events.GONE` or `events.FAILING`.
    """
    if Webhook.objects.filter(id=webhook.id, active=True).update(active=False):
        pause_deliveries(webhook.id)
        record(
            events.WEBHOOK_TURNED_OFF, subject=("webhook", webhook.id), host=host_of(webhook), reason=reason
        )
