"""Sending of webhook deliveries, at least once and with the same `webhook-id` in each attempt.

A delivery is stored in the transaction of the change that it reports. A worker sends the delivery, and repeats failed
attempts after the delays in `policy.RETRY_DELAYS`. The final attempt is a separate Celery task. If this task fails, it
is stored in the dead-letter queue, where staff can retry it.
"""

import datetime
import random
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Coalesce, Now
from django.utils.translation import gettext_noop as _

from audit.registry import EventType
from audit.services import record
from hotelagent.core.messages import TranslatableMessage, message_to_json
from hotelagent.core.metrics import counter
from locks.webhooks import events, policy
from locks.webhooks.errors import WebhookDeliveryFailed, WebhookDeliveryNotFound
from locks.webhooks.models import Webhook, WebhookDelivery, WebhookDeliveryStatus
from locks.webhooks.pausing import pause_deliveries, turn_off_webhook
from locks.webhooks.transport import host_of, is_success, send_event
from tenants.database.clock import database_now
from tenants.errors import DomainError
from tenants.queue import due

#: If the final attempt has not finished after this time, the dispatcher of due items enqueues the attempt again.
#: The attempt is enqueued again because the broker may have lost the Celery message of the attempt.
FINAL_ATTEMPT_TIMEOUT = datetime.timedelta(minutes=10)

_GONE = 410

_attempts = counter(
    "hotelagent_webhook_attempts_total",
    "Attempts to send a webhook delivery, by outcome: sent, failed.",
    labels=["outcome"],
)


def deliver(delivery_id: UUID) -> bool:
    """Send a delivery that is due and return True.

    If only the final attempt is left, send nothing and return False. The caller then enqueues the final attempt.
    """
    delivery = _pending_delivery(delivery_id)
    if delivery is None:
        due.cancel(kind="webhook", ids=[delivery_id])
        return True
    webhook = delivery.webhook
    if not webhook.active:
        pause_deliveries(webhook.id)
        return True
    now = database_now()
    if webhook.backoff_until is not None and webhook.backoff_until > now:
        # Part of the backoff is random, so that the deliveries of the webhook are not all due at the same time.
        _schedule(delivery, webhook.backoff_until, delay=policy.BACKOFF_SECONDS * random.random())  # noqa: S311
        return True
    if delivery.attempts >= len(policy.RETRY_DELAYS):
        due.schedule(kind="webhook", items=[(delivery.id, now + FINAL_ATTEMPT_TIMEOUT)])
        return False
    error = _attempt(delivery)
    # If the attempt turned the webhook off, the delivery is paused, so no further attempt is scheduled.
    if error is not None and _pending_delivery(delivery_id):
        delay = policy.RETRY_DELAYS[delivery.attempts] * random.uniform(1, 1.1)  # noqa: S311
        _schedule(delivery, database_now(), delay=delay)
    return True


def make_final_attempt(delivery_id: UUID) -> None:
    """Send a delivery now, even if the next attempt is not due yet or the maximum number of attempts was reached.

    If the webhook is turned off, a pending delivery is paused and not sent. Raises WebhookDeliveryFailed if the attempt
    fails, and WebhookDeliveryNotFound if the delivery was deleted.
    """
    delivery = WebhookDelivery.objects.select_related("webhook").filter(id=delivery_id).first()
    if delivery is None:
        due.cancel(kind="webhook", ids=[delivery_id])
        raise WebhookDeliveryNotFound(
            TranslatableMessage(
                _("The webhook delivery {id} or its webhook was deleted."), id=str(delivery_id)
            )
        )
    active = delivery.webhook.active
    if delivery.status == WebhookDeliveryStatus.PENDING and not active:
        pause_deliveries(delivery.webhook_id)
        return
    if delivery.status in {WebhookDeliveryStatus.SENT, WebhookDeliveryStatus.PAUSED}:
        return
    error = (
        _attempt(delivery)
        if active
        else TranslatableMessage(_("The webhook is off. Turn it on, then retry."))
    )
    if error is not None:
        _give_up(delivery, error=error)
        raise WebhookDeliveryFailed(error)


def _pending_delivery(delivery_id: UUID) -> WebhookDelivery | None:
    return (
        WebhookDelivery.objects.select_related("webhook")
        .filter(id=delivery_id, status=WebhookDeliveryStatus.PENDING)
        .first()
    )


def _attempt(delivery: WebhookDelivery) -> str | None:
    """Send the delivery once. Return the reason for the failure, or None if the delivery was sent.

    The attempt is counted before the request, which runs outside of any transaction.
    """
    WebhookDelivery.objects.filter(id=delivery.id).update(attempts=F("attempts") + 1)
    try:
        status = send_event(
            delivery.webhook,
            message_id=str(delivery.id),
            event=delivery.event,
            occurred_at=delivery.created_at,
            data=delivery.data,
        )
    except DomainError as failure:
        error: str | None = failure.detail
        status = 0
    else:
        error = (
            None
            if is_success(status)
            else TranslatableMessage(_("The server responded with HTTP status {status}."), status=status)
        )
    _attempts.labels(outcome="failed" if error else "sent").inc()
    with transaction.atomic():
        if error is None:
            _mark_sent(delivery)
        else:
            _mark_webhook_failing(delivery.webhook, status=status)
            WebhookDelivery.objects.filter(id=delivery.id).update(error=message_to_json(error))
    return error


def _mark_sent(delivery: WebhookDelivery) -> None:
    # The row of the webhook is locked before the row of the delivery, as in the module `pausing`, to prevent deadlocks.
    Webhook.objects.filter(id=delivery.webhook_id, failing_since__isnull=False).update(
        failing_since=None, backoff_until=None
    )
    WebhookDelivery.objects.filter(id=delivery.id).update(
        status=WebhookDeliveryStatus.SENT, sent_at=Now(), error=None
    )
    due.cancel(kind="webhook", ids=[delivery.id])
    _record(events.WEBHOOK_DELIVERED, delivery)


def _record(event_type: EventType, delivery: WebhookDelivery) -> None:
    attempts = WebhookDelivery.objects.values_list("attempts", flat=True).get(id=delivery.id)
    record(
        event_type,
        subject=("webhook", delivery.webhook_id),
        delivery=delivery.id,
        reported=delivery.event,
        host=host_of(delivery.webhook),
        attempts=attempts,
    )


def _mark_webhook_failing(webhook: Webhook, *, status: int) -> None:
    """Start the backoff after a failed attempt.

    Disable the webhook if the server responded with 410 Gone, or if all attempts have failed for several days.
    """
    now = database_now()
    Webhook.objects.filter(id=webhook.id).update(
        failing_since=Coalesce("failing_since", now),
        backoff_until=now + datetime.timedelta(seconds=policy.BACKOFF_SECONDS),
    )
    latest_start = now - datetime.timedelta(days=policy.TURN_OFF_AFTER_DAYS)
    if status == _GONE:
        turn_off_webhook(webhook, reason=events.GONE)
    elif webhook.failing_since and webhook.failing_since < latest_start:
        turn_off_webhook(webhook, reason=events.FAILING)


def _give_up(delivery: WebhookDelivery, *, error: str) -> None:
    with transaction.atomic():
        unsent = WebhookDelivery.objects.filter(id=delivery.id).exclude(status=WebhookDeliveryStatus.SENT)
        if unsent.update(status=WebhookDeliveryStatus.FAILED, error=message_to_json(error)):
            _record(events.WEBHOOK_DELIVERY_FAILED, delivery)
        due.cancel(kind="webhook", ids=[delivery.id])


def _schedule(delivery: WebhookDelivery, start: datetime.datetime, *, delay: float) -> None:
    due.schedule(kind="webhook", items=[(delivery.id, start + datetime.timedelta(seconds=delay))])
