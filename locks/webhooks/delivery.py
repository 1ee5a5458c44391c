"""Sending what webhooks are to be told: at least once, the same `webhook-id` each time.

A notice is written in the transaction of the change, with an item of the due queue; the worker sends it, and again
after longer and longer waits. What still fails then is sent once more by a task of its own, whose failure is kept
for people, who can have it sent again.
"""

import datetime
import random
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Coalesce, Now
from django.utils.translation import gettext_noop as _

from hotelagent.core.messages import TranslatableMessage, message_to_json
from locks import metrics
from locks.webhooks import events, policy
from locks.webhooks.errors import WebhookDeliveryFailed, WebhookDeliveryNotFound
from locks.webhooks.models import Webhook, WebhookDelivery, WebhookDeliveryStatus
from locks.webhooks.pausing import pause
from locks.webhooks.services import is_taken, send, switch_off
from tenants.database.clock import database_now
from tenants.errors import DomainError
from tenants.queue import due

#: How long the task of the last try may wait in its queue before the notice is handed out again.
LAST_TRY = datetime.timedelta(minutes=10)

_GONE = 410
_OFF = _("The webhook is switched off: switch it on, then have this sent again.")


def deliver(notice_id: UUID) -> bool:
    """Send a delivery that is due. Return False if only the final attempt is left (`make_final_attempt`)."""
    notice = _pending(notice_id)
    if notice is None:
        due.cancel(kind="webhook", ids=[notice_id])
        return True
    webhook = notice.webhook
    if not webhook.active:
        pause(webhook.id)
        return True
    now = database_now()
    if webhook.backoff_until is not None and webhook.backoff_until > now:
        _later(notice, webhook.backoff_until, seconds=policy.QUIET_SECONDS * random.random())  # noqa: S311
        return True
    if notice.attempts >= len(policy.NOTICE_WAITS):
        due.schedule(kind="webhook", items=[(notice.id, now + LAST_TRY)])
        return False
    if _send(notice) is not None and _pending(notice_id):  # not where that switched the webhook off
        wait = policy.NOTICE_WAITS[notice.attempts] * random.uniform(1, 1.1)  # noqa: S311
        _later(notice, database_now(), seconds=wait)
    return True


def make_final_attempt(notice_id: UUID) -> None:
    """Send a notice whatever was tried before. Raises WebhookDeliveryFailed or WebhookDeliveryNotFound.

    Where its webhook was switched off before it ever failed for good, it waits as the others do.
    """
    notice = WebhookDelivery.objects.select_related("webhook").filter(id=notice_id).first()
    if notice is None:
        due.cancel(kind="webhook", ids=[notice_id])
        raise WebhookDeliveryNotFound(
            TranslatableMessage(
                _("The notice {id} is forgotten, or its webhook was deleted."), id=str(notice_id)
            )
        )
    active = notice.webhook.active
    if notice.status == WebhookDeliveryStatus.PENDING and not active:
        pause(notice.webhook_id)
        return
    if notice.status in {WebhookDeliveryStatus.SENT, WebhookDeliveryStatus.PAUSED}:
        return
    error = _send(notice) if active else TranslatableMessage(_OFF)
    if error is not None:
        _fail(notice, error=error)
        raise WebhookDeliveryFailed(error)


def _pending(notice_id: UUID) -> WebhookDelivery | None:
    found = WebhookDelivery.objects.select_related("webhook").filter(
        id=notice_id, status=WebhookDeliveryStatus.PENDING
    )
    return found.first()


def _send(notice: WebhookDelivery) -> str | None:
    """One attempt, counted before it is made; why it failed, or None. Outside of any transaction."""
    WebhookDelivery.objects.filter(id=notice.id).update(attempts=F("attempts") + 1)
    try:
        status = send(
            notice.webhook,
            message=str(notice.id),
            topic=notice.event,
            happened=notice.created_at,
            data=notice.data,
        )
    except DomainError as refused:
        error: str | None = refused.detail
        status = 0
    else:
        error = None if is_taken(status) else TranslatableMessage(_("It answered {status}."), status=status)
    metrics.NOTICES.labels(outcome="failed" if error else "sent").inc()
    with transaction.atomic():
        if error is None:
            _succeeded(notice)
        else:
            _failed(notice.webhook, status=status)
            WebhookDelivery.objects.filter(id=notice.id).update(error=message_to_json(error))
    return error


def _succeeded(notice: WebhookDelivery) -> None:
    # The webhook's row first, as whoever switches it off does (`pausing`).
    Webhook.objects.filter(id=notice.webhook_id, failing_since__isnull=False).update(
        failing_since=None, backoff_until=None
    )
    WebhookDelivery.objects.filter(id=notice.id).update(
        status=WebhookDeliveryStatus.SENT, sent_at=Now(), error=None
    )
    due.cancel(kind="webhook", ids=[notice.id])


def _failed(webhook: Webhook, *, status: int) -> None:
    now = database_now()
    Webhook.objects.filter(id=webhook.id).update(
        failing_since=Coalesce("failing_since", now),
        backoff_until=now + datetime.timedelta(seconds=policy.QUIET_SECONDS),
    )
    if status == _GONE:
        switch_off(webhook, why=events.GONE)
    elif webhook.failing_since and webhook.failing_since < now - datetime.timedelta(days=policy.FAILING_DAYS):
        switch_off(webhook, why=events.FAILING)


def _fail(notice: WebhookDelivery, *, error: str) -> None:
    with transaction.atomic():
        WebhookDelivery.objects.filter(id=notice.id).exclude(status=WebhookDeliveryStatus.SENT).update(
            status=WebhookDeliveryStatus.FAILED, error=message_to_json(error)
        )
        due.cancel(kind="webhook", ids=[notice.id])


def _later(notice: WebhookDelivery, moment: datetime.datetime, *, seconds: float) -> None:
    due.schedule(kind="webhook", items=[(notice.id, moment + datetime.timedelta(seconds=seconds))])
