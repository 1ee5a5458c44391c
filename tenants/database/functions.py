"""Calls of our database functions, which take one jsonb argument and return one jsonb value."""

import json
from collections.abc import Mapping
from typing import Any, LiteralString

from django.db import DEFAULT_DB_ALIAS, connections


def call_function(function: LiteralString, argument: Mapping[str, Any]) -> Any:
    """Run `SELECT function('{...}')` for the current tenant and return the decoded result.

    For hot paths: the call skips the cursor, whose overhead is as large as the time that such a function takes.
    Otherwise it behaves like a cursor: it runs in the open transaction or commits automatically, and it raises the same
    errors. If statements are being recorded (DEBUG, `execute_wrapper()`), it uses a cursor.
    """
    text = json.dumps(argument)
    connection = connections[
        DEFAULT_DB_ALIAS
    ]  # django.db.connection would look it up for each attribute below
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
