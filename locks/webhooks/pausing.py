"""What a webhook that is switched off was still to be told: it waits, and is sent once that is on again.

The webhook's row is locked first, then its notices: one that is switched on at this moment leaves none behind.
"""

from uuid import UUID

from django.db import transaction

from locks.holds import rows
from locks.webhooks.models import Webhook
from tenants.queue import due

_PAUSE = """
UPDATE locks_webhookdelivery SET status = 'paused' WHERE webhook_id = %(webhook)s AND status = 'pending' RETURNING id
"""
_RESUME = """
UPDATE locks_webhookdelivery SET status = 'pending', attempts = 0, error = NULL
WHERE webhook_id = %(webhook)s AND status = 'paused' RETURNING id, clock_timestamp() AS now
"""


def pause(webhook_id: UUID) -> None:
    """Let what is pending wait, if the webhook is off."""
    with transaction.atomic():
        off = Webhook.objects.select_for_update(no_key=True).filter(id=webhook_id, active=False)
        if off.first() is not None:
            paused = rows(_PAUSE, {"webhook": webhook_id})
            due.cancel(kind="webhook", ids=[row["id"] for row in paused])


def resume(webhook_id: UUID) -> None:
    """Let what waits be sent, in the transaction that has switched the webhook on. Their tries are counted anew."""
    resumed = rows(_RESUME, {"webhook": webhook_id})
    due.schedule(kind="webhook", items=[(row["id"], row["now"]) for row in resumed])
