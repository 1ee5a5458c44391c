"""What is sent, for who receives it: the entries of OpenAPI's `webhooks`."""

from typing import Any

from locks.webhooks.topics import TOPICS

_HOW = """
A POST as [Standard Webhooks](https://www.standardwebhooks.com) has it; verify it before you believe it:

    import base64, hashlib, hmac, time

    def verify(secret: str, headers, body: bytes) -> bool:        # secret: whsec_...
        key = base64.b64decode(secret.removeprefix("whsec_"))
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        expected = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
        fresh = abs(time.time() - int(headers["webhook-timestamp"])) < 300
        return fresh and any(hmac.compare_digest(given, "v1," + expected)
                             for given in headers["webhook-signature"].split())

Answer with 2xx within ten seconds. Anything else, a redirect too, and it comes again for about a day with the same
`webhook-id`; 410 switches the webhook off, and what was still to come waits until it is on again. It may come twice,
late, or after a later one: `timestamp` is when it happened, and of two notices about a room the larger
`fencing_token` is the newer hold's.
While a secret is rotated two signatures come, with the new secret and with the old: one that fits is
enough.
"""

_DAY = {"type": "string", "format": "date"}
_MOMENT = {"type": "string", "format": "date-time"}
_TEXT = {"type": "string"}
_NUMBER = {"type": ["integer", "null"]}
_ID = {"type": "string", "format": "uuid"}

_DATA = {
    "hold": _ID,
    "group": {"type": ["string", "null"], "format": "uuid"},
    "room": {"type": "integer"},
    "number": _TEXT,
    "room_type": _TEXT,
    "check_in": _DAY,
    "check_out": _DAY,
    "status": _TEXT,
    "fencing_token": _NUMBER,
    "expires_at": {"type": ["string", "null"], "format": "date-time"},
    "session": _TEXT,
    "reference": _TEXT,
}


_MOVED_FROM = {name: _DATA[name] for name in ("room", "number", "room_type", "check_in", "check_out")}
_MORE: dict[str, dict[str, Any]] = {
    "stay.moved": {
        "moved_from": {"type": "object", "required": list(_MOVED_FROM), "properties": _MOVED_FROM},
    },
    "waiting_list.offered": {"waiting_list_entry": _ID},
}


def described() -> dict[str, Any]:
    return {topic: {"post": _operation(topic, str(meaning))} for topic, meaning in TOPICS.items()}


def _operation(topic: str, meaning: str) -> dict[str, Any]:
    data = {**_DATA, **_MORE.get(topic, {})}
    body = {
        "type": "object",
        "required": ["type", "timestamp", "data"],
        "properties": {
            "type": {"const": topic},
            "timestamp": _MOMENT,
            "data": {"type": "object", "required": list(data), "properties": data},
        },
    }
    headers = ("webhook-id", "webhook-timestamp", "webhook-signature")
    return {
        "summary": meaning,
        "description": _HOW.strip(),
        "tags": ["webhooks"],
        "parameters": [
            {"name": name, "in": "header", "required": True, "schema": {"type": "string"}} for name in headers
        ],
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        "responses": {"2XX": {"description": "Taken."}},
    }
