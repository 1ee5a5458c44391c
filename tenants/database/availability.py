"""The distinction between a database that is unavailable for the moment and an error of a statement.

A statement that failed because the database is unavailable may be repeated later. REST, the admin, Celery beat and
workers use the same function, so that a failover is the same kind of error everywhere.
"""

import psycopg
from django.db import InterfaceError, InternalError, OperationalError

#: SQLSTATEs of psycopg's InternalError that mean that the database is unavailable.
_UNAVAILABLE_SQLSTATES = {
    "25006",  # read_only_sql_transaction: during a failover, the pooler leads to a standby
    "25P03",  # idle_in_transaction_session_timeout: the server has closed the connection
    "25P04",  # transaction_timeout: the server has closed the connection
    # Without an SQLSTATE the error is psycopg's own: the results do not match the statement. A pooler sends two errors
    # if it loses its server while a transaction is open, and psycopg then reports "received 2 results" for COMMIT.
    None,
}


def is_database_unavailable(error: BaseException | None) -> bool:
    """Return whether a database error has a cause that passes, such as a lost connection, a timeout or a failover.

    If COMMIT failed with such an error, the transaction may have been committed nevertheless.
    """
    if isinstance(error, InterfaceError | OperationalError):
        return True
    cause = error.__cause__ if isinstance(error, InternalError) else None
    return isinstance(cause, psycopg.InternalError) and cause.sqlstate in _UNAVAILABLE_SQLSTATES
