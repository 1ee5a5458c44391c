"""The HTTP request of a webhook delivery, sent with an HTTP client that connects only to public IP addresses."""

import datetime
import json
from collections.abc import Mapping
from typing import Any

from hotelagent.core import http_client, public_addresses
from locks.webhooks import policy, signing
from locks.webhooks.errors import InvalidWebhookURL, WebhookDeliveryFailed
from locks.webhooks.models import Webhook
from tenants.database.clock import database_now

USER_AGENT = "hotelagent-webhooks/1"


def validate_url(url: str) -> str:
    """Return the host of a webhook's URL, without resolving it. Raises InvalidWebhookURL."""
    try:
        return public_addresses.parse_url(url).host
    except public_addresses.URLNotAllowed as error:
        raise InvalidWebhookURL(error.detail) from None


def host_of(webhook: Webhook) -> str:
    """Return the host of the webhook's URL, or "?" if the URL is no longer allowed."""
    try:
        return validate_url(webhook.url)
    except InvalidWebhookURL:
        return "?"


def send_event(
    webhook: Webhook,
    *,
    message_id: str,
    event: str,
    occurred_at: datetime.datetime,
    data: Mapping[str, Any],
) -> int:
    """Send an event in the format of Standard Webhooks and return the status of the response.

    Raises InvalidWebhookURL, or WebhookDeliveryFailed if there is no response.
    """
    content = {"type": event, "timestamp": occurred_at.isoformat(), "data": data}
    body = json.dumps(content, separators=(",", ":")).encode()
    now = database_now()
    encrypted_secrets = [webhook.encrypted_secret]
    expires_at = webhook.previous_secret_expires_at
    if webhook.encrypted_previous_secret is not None and expires_at is not None and expires_at > now:
        encrypted_secrets.append(webhook.encrypted_previous_secret)
    secrets = [
        signing.decrypt_secret(bytes(encrypted), webhook_id=webhook.id) for encrypted in encrypted_secrets
    ]
    headers = {
        "Content-Type": "application/json",
        "User-Agent": USER_AGENT,
        **signing.signature_headers(message_id=message_id, sent_at=now, body=body, secrets=secrets),
    }
    return post(webhook.url, headers=headers, body=body)


def post(url: str, *, headers: Mapping[str, str], body: bytes) -> int:
    """Send a POST request and return the status of the response.

    Raises InvalidWebhookURL, or WebhookDeliveryFailed if there is no response.
    """
    try:
        response = http_client.send_request(
            "POST", url, headers=headers, body=body, timeout=policy.REQUEST_TIMEOUT_SECONDS
        )
    except http_client.URLNotAllowed as error:
        raise InvalidWebhookURL(error.detail) from None
    except http_client.RequestFailed as error:
        raise WebhookDeliveryFailed(error.detail) from error
    return response.status


def is_success(status: int) -> bool:
    return 200 <= status < 300
