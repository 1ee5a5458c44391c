"""The HTTP request of a webhook delivery, through the client that only connects to public addresses."""

from collections.abc import Mapping

from hotelagent.core import http_client, public_addresses
from locks.webhooks.errors import InvalidWebhookURL, WebhookDeliveryFailed

#: Maximum duration of a request in seconds, from the first packet to the status line.
SECONDS = 10.0


def check_url(url: str) -> str:
    """Return the host of a webhook's URL, without resolving it. Raises InvalidWebhookURL if the URL is not allowed."""
    try:
        return public_addresses.parse_url(url).host
    except public_addresses.URLNotAllowed as error:
        raise InvalidWebhookURL(error.detail) from None


def post(url: str, *, headers: Mapping[str, str], body: bytes) -> int:
    """Send a POST request and return the status of the response. Raises InvalidWebhookURL or WebhookDeliveryFailed."""
    try:
        response = http_client.send_request("POST", url, headers=headers, body=body, timeout=SECONDS)
    except http_client.URLNotAllowed as error:
        raise InvalidWebhookURL(error.detail) from None
    except http_client.RequestFailed as error:
        raise WebhookDeliveryFailed(error.detail) from error
    return response.status
