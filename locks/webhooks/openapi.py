"""The `webhooks` section of the OpenAPI description: the requests that receivers of webhooks get."""

from typing import Any

from locks.webhooks.event_types import TEST_EVENT, WebhookEvent

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

**Events are about rooms.** A reservation with several rooms has an event for each of its stays, and a reservation
without a room has none. To follow all reservations, poll `GET /api/v1/reservations/?updated_since=`.
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
#: The properties that only the data of certain event types has, by event type.
_EXTRA_DATA: dict[str, dict[str, Any]] = {
    WebhookEvent.STAY_MOVED: {
        "moved_from": {"type": "object", "required": list(_MOVED_FROM), "properties": _MOVED_FROM},
    },
    WebhookEvent.WAITING_LIST_OFFERED: {"waiting_list_entry": _UUID},
}
#: The data of the hold in the examples of the API documentation.
_DATA_EXAMPLE = {
    "hold": "0198b7d2-6c1e-7c52-9a53-0c1f2f6d8a11",
    "group": None,
    "room": 12,
    "number": "204",
    "room_type": "double",
    "check_in": "2031-07-01",
    "check_out": "2031-07-04",
    "status": "held",
    "fencing_token": 8,
    "expires_at": "2031-05-12T10:20:00Z",
    "session": "c7f1",
    "reference": "WEB-1042",
}
_STAY_EXAMPLE = {**_DATA_EXAMPLE, "status": "confirmed", "expires_at": None}
#: An allocation that was never a hold, such as an imported stay, has no fencing token and no session.
_STAY_WITHOUT_HOLD = {**_STAY_EXAMPLE, "fencing_token": None, "session": ""}
#: The example data of event types whose data differs from `_DATA_EXAMPLE`.
_EXAMPLES: dict[str, dict[str, Any]] = {
    WebhookEvent.HOLD_EXPIRED: {**_DATA_EXAMPLE, "status": "expired"},
    WebhookEvent.HOLD_RELEASED: {**_DATA_EXAMPLE, "status": "released"},
    WebhookEvent.HOLD_CONFIRMED: _STAY_EXAMPLE,
    WebhookEvent.STAY_CREATED: _STAY_WITHOUT_HOLD,
    WebhookEvent.STAY_MOVED: {
        **_STAY_EXAMPLE,
        "moved_from": {
            "room": 9, "number": "201", "room_type": "double", "check_in": "2031-07-01", "check_out": "2031-07-04",
        },
    },
    WebhookEvent.STAY_CHECKED_IN: _STAY_EXAMPLE,
    WebhookEvent.STAY_CHECKED_OUT: _STAY_EXAMPLE,
    WebhookEvent.STAY_CHECK_IN_UNDONE: _STAY_EXAMPLE,
    WebhookEvent.STAY_NO_SHOW: {**_STAY_EXAMPLE, "status": "cancelled"},
    WebhookEvent.STAY_INQUIRY_CONFIRMED: _STAY_WITHOUT_HOLD,
    WebhookEvent.STAY_BECAME_INQUIRY: _STAY_WITHOUT_HOLD,
    WebhookEvent.STAY_CANCELLED: {**_STAY_EXAMPLE, "status": "cancelled"},
    WebhookEvent.ROOM_CLOSED: {**_STAY_WITHOUT_HOLD, "status": "closed", "reference": ""},
    WebhookEvent.ROOM_REOPENED: {**_STAY_WITHOUT_HOLD, "status": "cancelled", "reference": ""},
    WebhookEvent.WAITING_LIST_OFFERED: {
        **_DATA_EXAMPLE, "waiting_list_entry": "0198b7d2-7d02-7a19-8f6c-51b1a3c2e704",
    },
}  # fmt: skip
_HEADERS = {
    "webhook-id": {
        "description": "The id of the delivery. Each attempt to send the delivery has the same id.",
        "schema": {"type": "string", "format": "uuid"},
        "example": "0198b7d2-8e11-7b3c-a4d5-6e7f8091a2b3",
    },
    "webhook-timestamp": {
        "description": "The time of this attempt in seconds since 1970-01-01 UTC. Refuse old requests.",
        "schema": {"type": "string", "pattern": "^[0-9]+$"},
        "example": "1936598400",
    },
    "webhook-signature": {
        "description": "One or two signatures with `v1,` before each of them, separated by a space.",
        "schema": {"type": "string", "pattern": "^v1,[A-Za-z0-9+/=]+( v1,[A-Za-z0-9+/=]+)*$"},
        "example": "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=",
    },
}
#: The security scheme of the requests that webhooks receive.
SECURITY_SCHEMES = {
    "webhookSignature": {
        "type": "apiKey",
        "in": "header",
        "name": "webhook-signature",
        "description": "The signature of the request with the signing secret of the webhook (Standard Webhooks). Your "
        "server verifies the signature.",
    }
}


def webhook_path_items() -> dict[str, Any]:
    """Return an OpenAPI path item for each event type, and for the test event."""
    items = {event.value: {"post": _operation(event)} for event in WebhookEvent}
    test = _path_item_operation(
        TEST_EVENT, summary="A test event was requested", data={"type": "object"}, example={}
    )
    return {**items, TEST_EVENT: {"post": test}}


def _operation(event: WebhookEvent) -> dict[str, Any]:
    properties = {**_DATA, **_EXTRA_DATA.get(event, {})}
    data = {"type": "object", "required": list(properties), "properties": properties}
    example = _EXAMPLES.get(event, _DATA_EXAMPLE)
    return _path_item_operation(event.value, summary=str(event.label), data=data, example=example)


def _path_item_operation(
    event: str, *, summary: str, data: dict[str, Any], example: dict[str, Any]
) -> dict[str, Any]:
    words = event.replace(".", "_").split("_")
    body = {
        "type": "object",
        "required": ["type", "timestamp", "data"],
        "properties": {"type": {"const": event}, "timestamp": _DATE_TIME, "data": data},
    }
    value = {"type": event, "timestamp": "2031-05-12T10:00:00Z", "data": example}
    return {
        "operationId": "receive" + "".join(word.title() for word in words),
        "summary": summary,
        "description": _DESCRIPTION.strip(),
        "tags": ["webhooks"],
        "security": [{name: [] for name in SECURITY_SCHEMES}],
        "parameters": [
            {"name": name, "in": "header", "required": True, **header} for name, header in _HEADERS.items()
        ],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": body, "example": value}},
        },
        "responses": {
            "2XX": {"description": "The event was received."},
            "default": {"description": "The event was not received. The request is repeated later."},
        },
    }
