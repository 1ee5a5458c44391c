"""Webhooks: making, changing, testing and deleting them, and their secrets."""

import datetime
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction

from audit.services import record
from hotelagent.core.ids import uuid7
from locks.webhooks import events, policy, sealing, signing
from locks.webhooks.errors import TooManyWebhooks, WebhookDeliveryFailed, WebhookNotFound
from locks.webhooks.models import Webhook
from locks.webhooks.pausing import pause, resume
from locks.webhooks.sending import check_url, post
from locks.webhooks.topics import PING
from tenants.database.clock import database_now
from tenants.errors import DomainError

AGENT = "hotelagent-webhooks/1"


@dataclass(frozen=True, slots=True)
class Tested:
    """What came of a test: the other side's status, or why there was none."""

    delivered: bool
    status: int | None
    error: str
    milliseconds: int


def create_webhook(*, url: str, topics: Sequence[str], active: bool = True) -> tuple[Webhook, str]:
    """Store a webhook; returns it with its secret, which is stored sealed and shown to nobody again.

    Raises InvalidWebhookURL or TooManyWebhooks. A name is looked up when something is sent, not here.
    """
    check_url(url)
    secret, key = sealing.new_secret(), uuid7()
    with transaction.atomic():
        if Webhook.objects.count() >= policy.WEBHOOKS:
            raise TooManyWebhooks(f"{policy.WEBHOOKS} are the most: delete one first.", limit=policy.WEBHOOKS)
        webhook = Webhook.objects.create(
            id=key,
            url=url,
            events=sorted(set(topics)),
            active=active,
            encrypted_secret=sealing.seal(secret, webhook=key),
        )
        webhook.refresh_from_db(fields=["created_at"])
        record(events.WEBHOOK_CREATED, subject=("webhook", key), host=host_of(webhook), events=webhook.events)
    return webhook, secret


def update_webhook(webhook: Webhook, *, changes: Mapping[str, Any]) -> Webhook:
    """Store a new address, other events, or that it is on or off.

    Switched off, it is told of nothing new, and what it was still to be told waits. Switched on, it counts as never
    having failed, and what waits is sent. Raises InvalidWebhookURL.
    """
    if "url" in changes:
        check_url(changes["url"])
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
            (resume if values["active"] else pause)(webhook.id)
        # The address may hold a secret of the other side's, so the trail has its host alone.
        record(
            events.WEBHOOK_UPDATED,
            subject=("webhook", webhook.id),
            host=host_of(webhook),
            changes=sorted(changes),
        )
    return webhook


def rotate_secret(webhook_id: UUID, *, overlap: datetime.timedelta) -> tuple[Webhook, str]:
    """Give a webhook a new secret; returns it, shown to nobody again, as `create_webhook` does.

    Until `overlap` has passed notices are signed with both, so that the other side may take over the new one when
    it likes. No overlap ends the old one at once: it has leaked. A third is never kept: who rotates during an overlap
    ends the oldest. Raises WebhookNotFound.
    """
    secret = sealing.new_secret()
    with transaction.atomic():
        webhook = Webhook.objects.select_for_update(no_key=True).filter(id=webhook_id).first()
        if webhook is None:
            raise WebhookNotFound(f"There is no webhook {webhook_id}.")
        keeps_old = bool(overlap) and _can_sign(webhook)
        webhook.encrypted_previous_secret = webhook.encrypted_secret if keeps_old else None
        webhook.previous_secret_expires_at = database_now() + overlap if keeps_old else None
        webhook.encrypted_secret = sealing.seal(secret, webhook=webhook.id)
        webhook.save(
            update_fields=["encrypted_secret", "encrypted_previous_secret", "previous_secret_expires_at"]
        )
        until = webhook.previous_secret_expires_at
        record(
            events.WEBHOOK_SECRET_ROTATED,
            subject=("webhook", webhook.id),
            host=host_of(webhook),
            old_until=until.isoformat() if until else "",
        )
    return webhook, secret


def _can_sign(webhook: Webhook) -> bool:
    """Not after a change of SECRET_KEY: its secret is lost, and rotating is the way out."""
    try:
        sealing.unseal(bytes(webhook.encrypted_secret), webhook=webhook.id)
    except WebhookDeliveryFailed:
        return False
    return True


def delete_webhook(webhook: Webhook) -> None:
    """Delete it with all that it was to be told."""
    with transaction.atomic():
        record(events.WEBHOOK_DELETED, subject=("webhook", webhook.id), host=host_of(webhook))
        webhook.delete()


def send_test_delivery(webhook_id: UUID) -> Tested:
    """Send a test now and wait for what comes of it, at most as long as for any notice. Raises WebhookNotFound.

    Whether the webhook is on or off, nothing else changes. Outside of any transaction, for it may take seconds.
    """
    webhook = Webhook.objects.filter(id=webhook_id).first()
    if webhook is None:
        raise WebhookNotFound(f"There is no webhook {webhook_id}.")
    status, error, code, start = None, "", "", time.perf_counter()
    try:
        status = send(webhook, message=str(uuid7()), topic=PING, happened=database_now(), data={})
    except DomainError as refused:
        error, code = refused.detail, refused.code
    delivered = status is not None and is_taken(status)
    record(
        events.WEBHOOK_TESTED,
        subject=("webhook", webhook.id),
        host=host_of(webhook),
        outcome=str(status or code),
    )
    return Tested(delivered, status, error, round((time.perf_counter() - start) * 1000))


def send(
    webhook: Webhook, *, message: str, topic: str, happened: datetime.datetime, data: Mapping[str, Any]
) -> int:
    """One POST of Standard Webhooks' form, signed for this moment.

    Raises InvalidWebhookURL or WebhookDeliveryFailed.
    """
    body = json.dumps(
        {"type": topic, "timestamp": happened.isoformat(), "data": data}, separators=(",", ":")
    ).encode()
    moment = database_now()
    sealed = [webhook.encrypted_secret]
    old, until = webhook.encrypted_previous_secret, webhook.previous_secret_expires_at
    if old is not None and until is not None and until > moment:
        sealed.append(old)
    secrets = [sealing.unseal(bytes(one), webhook=webhook.id) for one in sealed]
    signed = signing.headers(message=message, moment=moment, body=body, secrets=secrets)
    headers = {"Content-Type": "application/json", "User-Agent": AGENT, **signed}
    return post(webhook.url, headers=headers, body=body)


def is_taken(status: int) -> bool:
    return 200 <= status < 300


def host_of(webhook: Webhook) -> str:
    try:
        return check_url(webhook.url)
    except DomainError:  # it was allowed when it was made
        return "?"


def switch_off(webhook: Webhook, *, why: str) -> None:
    """Leave it alone from now on, in the caller's transaction; once, whoever else finds the same."""
    if Webhook.objects.filter(id=webhook.id, active=True).update(active=False):
        pause(webhook.id)
        record(events.WEBHOOK_DISABLED, subject=("webhook", webhook.id), host=host_of(webhook), why=why)
