"""The entry of an event in the transparency log, and the commitments to the personal values of an event.

An entry is the canonical JSON text of an event. Its hash is a leaf of the log. The entry contains a commitment to each
personal value and not the value. The value and its salt can therefore be erased, and the entry remains the same.
"""

import base64
import datetime
import hashlib
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from audit.models import Event

#: The version of the format of entries.
VERSION = 1
#: The maximum size of an entry in bytes.
MAX_ENTRY_BYTES = 64 * 1024

# One encoder for all entries: json.dumps() would make a new encoder for each entry.
_encode = json.JSONEncoder(
    ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False, check_circular=False
).encode


def entry(event: "Event") -> bytes:
    """Return the entry of an event that was read from the database. Members without a value are omitted."""
    members: dict[str, Any] = {
        "v": VERSION,
        "id": str(event.id),
        "at": timestamp(event.at),
        "event": event.event,
        "version": event.version,
        "severity": event.severity,
        "outcome": event.outcome,
        "actor": [event.actor_kind, event.actor_id],
        "subject": [event.subject_kind, event.subject_id],
        "data": event.data,
        "personal": {name: commitment(stored) for name, stored in (event.personal or {}).items()},
    }
    if event.initiator_kind is not None:
        members["initiator"] = [event.initiator_kind, event.initiator_id]
    optional = {
        "request": event.request_id,
        "task": event.task_id,
        "idempotency_key": event.idempotency_key,
    }
    members |= {name: value for name, value in optional.items() if value}
    return canonical_json(members)


def commitment(stored: dict[str, Any]) -> str:
    """Return the commitment to a personal value as hexadecimal text. Erased values are stored as their commitment."""
    if "digest" in stored:
        return str(stored["digest"])
    salt = base64.b64decode(stored["salt"], validate=True)
    return hashlib.sha256(salt + canonical_json(stored["value"])).hexdigest()


def canonical_json(value: Any) -> bytes:
    """Return the JSON text of a value in its only canonical form, as UTF-8.

    Object members are sorted by the code points of their names. The text contains no spaces between tokens. The
    decoder of events (`ExactDecoder`) returns a number with a fraction as a string, so this function encodes it as a
    string. Programs would print the number in different ways. The database function `audit_canonical_json` returns the
    same text.
    """
    return _encode(value).encode()


def timestamp(moment: datetime.datetime) -> str:
    """Return the time in UTC as ISO 8601 text with microseconds, such as `2030-05-01T22:30:00.000000Z`."""
    return moment.astimezone(datetime.UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"
