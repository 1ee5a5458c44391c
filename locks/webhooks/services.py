"""Services that create, change, test and delete webhooks and rotate their signing secrets."""

import datetime
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from audit.services import record
from hotelagent.core.ids import uuid7
from locks.webhooks import events, policy, signing
from locks.webhooks.errors import TooManyWebhooks, WebhookDeliveryFailed, WebhookNotFound
from locks.webhooks.event_types import TEST_EVENT
from locks.webhooks.models import Webhook
from locks.webhooks.pausing import pause_deliveries, resume_deliveries
from locks.webhooks.transport import host_of, is_success, send_event, validate_url
from tenants.database.clock import database_now
from tenants.errors import DomainError


@dataclass(frozen=True, slots=True)
class DeliveryResult:
    """The result of a test event: the status of the response, or the error if there was no response."""

    delivered: bool
    status_code: int | None
    error: str
    duration_ms: int


def create_webhook(*, url: str, event_types: Sequence[str], active: bool = True) -> tuple[Webhook, str]:
    """Create a webhook. Return it with its signing secret, which can't be read again.

    The host name of the URL is not resolved until an event is sent. Raises InvalidWebhookURL or
    TooManyWebhooks.
    """
    validate_url(url)
    secret, webhook_id = signing.generate_secret(), uuid7()
    with transaction.atomic():
        if Webhook.objects.count() >= policy.MAX_WEBHOOKS:
            raise TooManyWebhooks(
                _("A hotel can have at most {limit} webhooks. Delete a webhook first.").format(
                    limit=policy.MAX_WEBHOOKS
                ),
                limit=policy.MAX_WEBHOOKS,
            )
        webhook = Webhook.objects.create(
            id=webhook_id,
            url=url,
            events=sorted(set(event_types)),
            active=active,
            encrypted_secret=signing.encrypt_secret(secret, webhook_id=webhook_id),
        )
        webhook.refresh_from_db(fields=["created_at"])
        record(
            events.WEBHOOK_CREATED,
            subject=("webhook", webhook_id),
            host=host_of(webhook),
            events=webhook.events,
        )
    return webhook, secret


def update_webhook(webhook: Webhook, *, changes: Mapping[str, Any]) -> Webhook:
    """Change the `url`, the `events` or the `active` state of a webhook. Raises InvalidWebhookURL.

    A webhook that is turned off gets no new deliveries, and its pending deliveries are paused. When the webhook is
    turned on again, its backoff ends and the paused deliveries are sent.
    """
    if "url" in changes:
        validate_url(changes["url"])
    values = dict(changes)
    if "events" in values:
        values["events"] = sorted(set(values["events"]))
    if values.get("active"):
        values |= {"failing_since": None, "backoff_until": None}
    with transaction.atomic():
        for name, value in values.items():
            setattr(webhook, name, value)
        webhook.save(update_fields=list(values))
        if "active" in values:
            (resume_deliveries if values["active"] else pause_deliveries)(webhook.id)
        record(
            events.WEBHOOK_UPDATED,
            subject=("webhook", webhook.id),
            host=host_of(webhook),
            changes=sorted(changes),
        )
    return webhook


def rotate_secret(webhook_id: UUID, *, overlap: datetime.timedelta) -> tuple[Webhook, str]:
    """Replace the signing secret of a webhook. Return the webhook and the secret, which can't be read again.

    For the time `overlap`, requests are signed with the new and the previous secret, so that the receiver can switch at
    any time. If `overlap` is zero, the previous secret is invalid immediately. At most two secrets are valid at a time.
    Raises WebhookNotFound.
    """
    secret = signing.generate_secret()
    with transaction.atomic():
        webhook = Webhook.objects.select_for_update(no_key=True).filter(id=webhook_id).first()
        if webhook is None:
            raise _not_found(webhook_id)
        keep_previous = bool(overlap) and _can_sign(webhook)
        webhook.encrypted_previous_secret = webhook.encrypted_secret if keep_previous else None
        webhook.previous_secret_expires_at = database_now() + overlap if keep_previous else None
        webhook.encrypted_secret = signing.encrypt_secret(secret, webhook_id=webhook.id)
        webhook.save(
            update_fields=["encrypted_secret", "encrypted_previous_secret", "previous_secret_expires_at"]
        )
        expires_at = webhook.previous_secret_expires_at
        record(
            events.WEBHOOK_SECRET_ROTATED,
            subject=("webhook", webhook.id),
            host=host_of(webhook),
            previous_secret_expires_at=expires_at.isoformat() if expires_at else "",
        )
    return webhook, secret


def _can_sign(webhook: Webhook) -> bool:
    """Return whether the secret can be decrypted. Decryption fails after a change of SECRET_KEY."""
    try:
        signing.decrypt_secret(bytes(webhook.encrypted_secret), webhook_id=webhook.id)
    except WebhookDeliveryFailed:
        return False
    return True


def delete_webhook(webhook: Webhook) -> None:
    """Delete a webhook and its deliveries."""
    with transaction.atomic():
        record(events.WEBHOOK_DELETED, subject=("webhook", webhook.id), host=host_of(webhook))
        webhook.delete()


def delete_expired_secrets() -> None:
    """Delete the previous signing secrets that have expired."""
    Webhook.objects.filter(previous_secret_expires_at__lt=database_now()).update(
        encrypted_previous_secret=None, previous_secret_expires_at=None
    )


def send_test_delivery(webhook_id: UUID) -> DeliveryResult:
    """Send a test event and return the result. Raises WebhookNotFound.

    The test event is sent even if the webhook is off, and changes nothing but the audit trail. Call this function
    outside of a transaction, because the request may take seconds.
    """
    webhook = Webhook.objects.filter(id=webhook_id).first()
    if webhook is None:
        raise _not_found(webhook_id)
    status, error, error_code, start = None, "", "", time.perf_counter()
    try:
        status = send_event(
            webhook, message_id=str(uuid7()), event=TEST_EVENT, occurred_at=database_now(), data={}
        )
    except DomainError as failure:
        error, error_code = failure.detail, failure.code
    record(
        events.WEBHOOK_TESTED,
        subject=("webhook", webhook.id),
        host=host_of(webhook),
        outcome=str(status or error_code),
    )
    return DeliveryResult(
        delivered=status is not None and is_success(status),
        status_code=status,
        error=error,
        duration_ms=round((time.perf_counter() - start) * 1000),
    )


def _not_found(webhook_id: UUID) -> WebhookNotFound:
    return WebhookNotFound(_("There is no webhook with the id {id}.").format(id=webhook_id))
