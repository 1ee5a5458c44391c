"""A helper for calling our PostgreSQL functions, which take one jsonb argument and return one jsonb value."""

import json
from collections.abc import Mapping
from typing import Any, LiteralString

from django.db import DEFAULT_DB_ALIAS, connections


def call_function(function: LiteralString, argument: Mapping[str, Any]) -> Any:
    """Run `SELECT function('{...}')` for the current tenant and return the decoded result.

    The call does not use a Django cursor, because the cursor would double the duration of the call. Transactions and
    errors are the same as with a cursor. If statements are being recorded (DEBUG, `execute_wrapper()`), a cursor is
    used.
    """
    text = json.dumps(argument)
    # The proxy django.db.connection would look up the connection for each attribute, so look it up once here.
    connection = connections[DEFAULT_DB_ALIAS]
    if connection.execute_wrappers or connection.queries_logged:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {function}(%s)", [text])
            [result] = cursor.fetchone()
    else:
        connection.validate_thread_sharing()
        connection.validate_no_broken_transaction()
        connection.ensure_connection()
        with connection.wrap_database_errors:
            result = connection.connection.call_function(function, text)
    return None if result is None else json.loads(result)
