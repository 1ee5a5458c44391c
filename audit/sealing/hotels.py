"""The logs of hotels that are deleted or restored."""

import base64
from typing import Any
from uuid import UUID

from django.db import connection

from audit.errors import SealingRefused, SigningKeyError
from audit.sealing import keys, logs
from audit.sealing.models import Log
from audit.sealing.sealer import seal
from tenants.context import hotel_context
from tenants.models import Hotel

# Transaction numbers of another server may be greater than those of this server. The sealer would then wait for them.
_RENUMBER = """
ALTER TABLE audit_event DISABLE TRIGGER USER;
UPDATE audit_event SET transaction = 0 WHERE transaction > pg_current_xact_id()::text::bigint;
ALTER TABLE audit_event ENABLE TRIGGER USER;
"""


def close_trail(hotel: Hotel) -> dict[str, Any]:
    """Seal the last events of a hotel that is being deleted, close its log, and return its last checkpoint.

    Runs in the transaction of the deletion. A trail that cannot be sealed does not stop the deletion: `problem` says
    why. `note` is the signed checkpoint.
    """
    log = logs.open_log(hotel.id)
    problem = _seal_completely(log, hotel) if keys.is_configured() else "No key is configured."
    last = logs.last_checkpoint(log)
    logs.close_log(log)
    return {
        "log": log.origin,
        "size": last.size if last else 0,
        "root": base64.b64encode(last.root).decode() if last else "",
        "note": last.note if last else "",
        "problem": problem,
    }


def _seal_completely(log: Log, hotel: Hotel) -> str:
    """Seal all events of a hotel. Return an empty text, or the reason why that is not possible."""
    try:
        signing_keys = keys.load_signing_keys()
        while not seal(log, hotel.tenant, signing_keys).is_complete:
            pass
    except (SealingRefused, SigningKeyError) as error:
        return str(error)
    return ""


def continue_trail(hotel: Hotel, *, original_id: UUID, is_masked: bool) -> None:
    """Start the log of a restored hotel, which names the size and the root of the earlier log.

    Runs in the transaction of the restore, on the direct connection. All restored events are sealed again in the new
    log. A masked copy has no events, so its log names no earlier log.
    """
    earlier = None if is_masked else logs.latest_log(original_id)
    logs.replace_log(hotel.id, predecessor=earlier)
    with hotel_context(hotel), connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM audit_event WHERE transaction > pg_current_xact_id()::text::bigint)"
        )
        if cursor.fetchone()[0]:
            cursor.execute(_RENUMBER)
