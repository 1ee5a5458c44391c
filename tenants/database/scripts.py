"""Many statements as one message, past the cursor: it would read their text and step over each result in Python."""

from django.db import connection
from psycopg import errors
from psycopg.pq import ExecStatus

_FINE = {ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK}


def send(statements: str) -> None:
    """Run SQL of our own making on the direct route, in the open transaction or else as one of its own.

    Nothing is put before it, so each name in it is qualified or it sets its own path. Raises Django's errors.
    """
    connection.ensure_connection()
    with connection.wrap_database_errors:
        result = connection.connection.pgconn.exec_(statements.encode())
        if result.status not in _FINE:
            raise errors.error_from_result(result, encoding="utf-8")
