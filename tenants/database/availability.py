"""Detection of database errors which mean that the database is temporarily unavailable.

A statement that failed for this reason can be repeated later.
"""

import psycopg
from django.db import InterfaceError, InternalError, OperationalError

#: For these SQLSTATEs psycopg raises InternalError, although the database is only temporarily unavailable.
_UNAVAILABLE_SQLSTATES = {
    "25006",  # The transaction is read-only. During a failover, a pooler may connect to a read-only standby.
    "25P03",  # The server closed the connection, because the transaction was idle for too long.
    "25P04",  # The server closed the connection, because the transaction took too long.
    # If a pooler loses its connection to the server, COMMIT fails in psycopg with "received 2 results".
    # The psycopg error "received 2 results" has no SQLSTATE.
    None,
}


def is_database_unavailable(error: BaseException | None) -> bool:
    """Return whether a database error has a temporary cause, such as a lost connection, a timeout or a failover.

    If COMMIT fails with such an error, the transaction may still have been committed.
    """
    if isinstance(error, InterfaceError | OperationalError):
        return True
    cause = error.__cause__ if isinstance(error, InternalError) else None
    return isinstance(cause, psycopg.InternalError) and cause.sqlstate in _UNAVAILABLE_SQLSTATES
