"""The canonical JSON text of an audit event, which the transparency log covers.

Instead of a personal value, the text contains a commitment: a hash of a random salt and the value. The value and its
salt can therefore be erased, and the text remains the same. The hash of the text is a leaf of the log.
"""

import base64
import datetime
import hashlib
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from audit.models import Event

#: The version of the format of the canonical event texts.
VERSION = 1
#: The maximum size of the canonical text of an event in bytes.
MAX_ENTRY_BYTES = 64 * 1024

# The encoder is created once, because json.dumps() would create a new JSON encoder for each event.
_encode = json.JSONEncoder(
    ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False, check_circular=False
).encode


def entry(event: "Event") -> bytes:
    """Return the canonical text of an event that was read from the database. Optional columns without a value are
    omitted.
    """
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
    """Return the commitment to a stored personal value: the hash of its salt and the value, as hexadecimal text.

    After an erasure, the commitment is stored in place of the value and the salt, so the stored commitment is returned.
    """
    if "digest" in stored:
        return str(stored["digest"])
    salt = base64.b64decode(stored["salt"], validate=True)
    return hashlib.sha256(salt + canonical_json(stored["value"])).hexdigest()


def canonical_json(value: Any) -> bytes:
    """Encode a value as canonical JSON in UTF-8, so that equal values always have the same bytes.

    Object members are sorted by the code points of their names. The text contains no spaces between tokens. Numbers
    with a fraction are encoded as strings, because programs print such numbers in different ways: the decoder of events
    (`ExactDecoder`) already returns them as strings. The database function `audit_canonical_json` returns the same
    text.
    """
    return _encode(value).encode()


def timestamp(moment: datetime.datetime) -> str:
    """Return the time in UTC as ISO 8601 text with microseconds, such as `2030-05-01T22:30:00.000000Z`."""
    return moment.astimezone(datetime.UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"
