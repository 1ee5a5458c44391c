"""Tests of the HTTP request that sends a webhook delivery. The HTTP client is tested in tests/core."""

import socket
from typing import Any

import pytest

from locks.webhooks import transport
from locks.webhooks.errors import InvalidWebhookURL, WebhookDeliveryFailed


def test_post_to_a_private_address_raises_invalid_webhook_url(settings: Any) -> None:
    settings.ALLOW_PRIVATE_ADDRESSES = False
    with pytest.raises(InvalidWebhookURL, match="not on the public internet"):
        transport.post("https://10.0.0.5/hooks", headers={}, body=b"{}")


def test_post_to_a_closed_port_raises_webhook_delivery_failed() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(WebhookDeliveryFailed, match=r"The request to 127\.0\.0\.1 failed"):
        transport.post(f"http://127.0.0.1:{port}/hooks", headers={}, body=b"{}")
