"""The `webhooks` section of the OpenAPI description: the requests that receivers of webhooks get."""

from typing import Any

from locks.webhooks.event_types import WebhookEvent

_DESCRIPTION = """
Requests follow [Standard Webhooks](https://www.standardwebhooks.com). Verify the signature of each request before you
process it, with one of the libraries of Standard Webhooks or with code like this:

    import base64, hashlib, hmac, time

    def verify(secret: str, headers, body: bytes) -> bool:        # secret: whsec_...
        key = base64.b64decode(secret.removeprefix("whsec_"))
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        expected = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
        fresh = abs(time.time() - int(headers["webhook-timestamp"])) < 300
        return fresh and any(hmac.compare_digest(signature, "v1," + expected)
                             for signature in headers["webhook-signature"].split())

While a signing secret is being rotated, `webhook-signature` contains two signatures: one with the new secret and one
with the previous secret. It is enough if one of them matches.

**Respond with a 2xx status within ten seconds.** After any other status, including redirects, the request is repeated
for about a day with the same `webhook-id`. After `410 Gone` the webhook is turned off. Its deliveries are kept and
sent when it is turned on again.

**Expect duplicates and events out of order.** Store the `webhook-id` of requests that you have processed, and ignore
repeated ones. `timestamp` is the time at which the event occurred. Of two events about the same room, the one with the
larger `fencing_token` belongs to the newer hold.
"""

_DATE = {"type": "string", "format": "date"}
_DATE_TIME = {"type": "string", "format": "date-time"}
_STRING = {"type": "string"}
_UUID = {"type": "string", "format": "uuid"}

_DATA = {
    "hold": _UUID,
    "group": {"type": ["string", "null"], "format": "uuid"},
    "room": {"type": "integer"},
    "number": _STRING,
    "room_type": _STRING,
    "check_in": _DATE,
    "check_out": _DATE,
    "status": _STRING,
    "fencing_token": {"type": ["integer", "null"]},
    "expires_at": {"type": ["string", "null"], "format": "date-time"},
    "session": _STRING,
    "reference": _STRING,
}
_MOVED_FROM = {name: _DATA[name] for name in ("room", "number", "room_type", "check_in", "check_out")}
#: Properties that occur only in the data of some events.
_EXTRA_DATA: dict[str, dict[str, Any]] = {
    WebhookEvent.STAY_MOVED: {
        "moved_from": {"type": "object", "required": list(_MOVED_FROM), "properties": _MOVED_FROM},
    },
    WebhookEvent.WAITING_LIST_OFFERED: {"waiting_list_entry": _UUID},
}
_HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")


def webhook_path_items() -> dict[str, Any]:
    """Return an OpenAPI path item for each event type."""
    return {event.value: {"post": _operation(event)} for event in WebhookEvent}


def _operation(event: WebhookEvent) -> dict[str, Any]:
    data = {**_DATA, **_EXTRA_DATA.get(event, {})}
    body = {
        "type": "object",
        "required": ["type", "timestamp", "data"],
        "properties": {
            "type": {"const": event.value},
            "timestamp": _DATE_TIME,
            "data": {"type": "object", "required": list(data), "properties": data},
        },
    }
    return {
        "summary": str(event.label),
        "description": _DESCRIPTION.strip(),
        "tags": ["webhooks"],
        "parameters": [
            {"name": name, "in": "header", "required": True, "schema": {"type": "string"}}
            for name in _HEADERS
        ],
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        "responses": {"2XX": {"description": "The event was received."}},
    }
