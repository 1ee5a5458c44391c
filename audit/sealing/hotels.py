"""Functions that close a transparency log and continue it in a new log.

A new log is started after a restore, after a copy from another server, or after the signing key was lost.
"""

import base64
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from audit.errors import SealingRefused, SigningKeyError
from audit.sealing import keys, logs
from audit.sealing.events import LOG_REPLACED
from audit.sealing.models import Log
from audit.sealing.sealer import seal
from audit.services import record
from tenants.context import Tenant, context_of
from tenants.errors import DomainError
from tenants.models import Hotel


class LegalHold(DomainError):
    """The audit trail of the hotel is under legal hold, so the trail must be kept. Nothing was deleted."""

    code = "legal-hold"
    title = gettext_lazy("The audit trail of the hotel is under legal hold")


# Events of another server may have greater transaction numbers, so the sealer would not read them for a long time.
_RENUMBER = """
ALTER TABLE audit_event DISABLE TRIGGER USER;
UPDATE audit_event SET transaction = 0 WHERE transaction > pg_current_xact_id()::text::bigint;
ALTER TABLE audit_event ENABLE TRIGGER USER;
"""


def close_trail(hotel: Hotel) -> dict[str, Any]:
    """Seal the last events of a hotel that is being deleted, close its log, and return the last checkpoint.

    The function runs in the transaction of the deletion. The key `note` of the result contains the signed checkpoint.
    If the trail cannot be sealed, the key `problem` contains the reason, and the deletion continues. Raises LegalHold.
    """
    log = logs.open_log(hotel.id)
    if log.legal_hold:
        raise LegalHold(
            _("The audit trail of the hotel is under legal hold. End the hold before you delete the hotel.")
        )
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
    """Seal all events of a hotel. Return an empty text, or the reason why the events cannot be sealed."""
    try:
        signing_keys = keys.load_signing_keys()
        while not seal(log, hotel.tenant, signing_keys).is_complete:
            pass
    except (SealingRefused, SigningKeyError) as error:
        return str(error)
    return ""


def continue_trail(hotel: Hotel, *, original_id: UUID, is_masked: bool) -> None:
    """Start a new log for a restored hotel. The new log stores the size and the root hash of the earlier log.

    The function runs in the transaction of the restore, on a connection without the pooler. All restored events are
    sealed again in the new log. A masked copy has no events, so its new log does not refer to an earlier log.
    """
    earlier = None if is_masked else logs.latest_log(original_id)
    _replace_log(hotel.tenant, earlier)


def start_new_log(tenant: Tenant, *, predecessor: Log) -> Log:
    """Close the log of a trail, and start a new log that stores the size and the root hash of the closed log.

    All events are sealed again in the new log, and the start of the new log is recorded in the trail. The
    function needs a database connection without the pooler.
    """
    with context_of(tenant), transaction.atomic():
        new = _replace_log(tenant, predecessor)
        record(LOG_REPLACED, closed=predecessor.origin, log=new.origin, reason=predecessor.refusal)
    return new


def _replace_log(tenant: Tenant, predecessor: Log | None) -> Log:
    new = logs.replace_log(tenant.id, predecessor=predecessor)
    with context_of(tenant), connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM audit_event WHERE transaction > pg_current_xact_id()::text::bigint)"
        )
        if cursor.fetchone()[0]:
            cursor.execute(_RENUMBER)
    return new
