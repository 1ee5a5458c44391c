"""Deletion of expired sessions and of expired responses to idempotent requests.

Django deletes a session only when its user logs out. Most users close the browser instead.
"""

from collections.abc import Callable

from django.db import connection

from tenants.access import idempotency
from tenants.unaudited import unaudited

#: Maximum number of sessions that one DELETE statement deletes. Each statement is a separate transaction.
_BATCH = 5_000


@unaudited("Expired sessions and stored responses are no business data.")
def delete_expired_records() -> int:
    """Delete the current tenant's expired sessions and its expired responses to requests with an idempotency key.

    Return the number of deleted rows.
    """
    return _repeat(_delete_expired_sessions, _BATCH) + _repeat(
        idempotency.delete_expired, idempotency.DELETE_LIMIT
    )


def _repeat(delete_batch: Callable[[], int], size: int) -> int:
    total = 0
    while deleted := delete_batch():
        total += deleted
        if deleted < size:
            break
    return total


def _delete_expired_sessions() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            DELETE FROM tenants_session WHERE id IN (
                SELECT id FROM tenants_session WHERE expires_at < now()
                LIMIT %s FOR UPDATE SKIP LOCKED)
            """,
            [_BATCH],
        )
        return int(cursor.rowcount)
