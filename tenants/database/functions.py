"""Functions of ours in the database that take one jsonb and return one, called in one message."""

import json
from collections.abc import Mapping
from typing import Any, LiteralString

from django.db import DEFAULT_DB_ALIAS, connections


def call_function(function: LiteralString, given: Mapping[str, Any]) -> Any:
    """What the function of the hotel's schema answers: `SELECT function('{...}')`.

    For the hot ways: a cursor's bookkeeping takes as long as what such a function does. Otherwise as with a cursor:
    in the transaction that is open or committed by itself, raising the same errors. Where somebody watches what is
    sent (DEBUG, `execute_wrapper()`) it goes by one.
    """
    text = json.dumps(given)
    connection = connections[DEFAULT_DB_ALIAS]  # its proxy would look it up again for each word below
    if connection.execute_wrappers or connection.queries_logged:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {function}(%s)", [text])
            [answer] = cursor.fetchone()
    else:
        connection.validate_thread_sharing()
        connection.validate_no_broken_transaction()
        connection.ensure_connection()
        with connection.wrap_database_errors:
            answer = connection.connection.call_function(function, text)
    return None if answer is None else json.loads(answer)
