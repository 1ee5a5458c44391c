"""Correction of the positions in PostgreSQL's errors.

The backend sends SET statements before each statement, and PostgreSQL includes them when it counts the position. The
corrected error contains the position in the caller's statement.
"""

from __future__ import annotations

import re
from typing import Any

from psycopg import errors
from psycopg.pq import DiagnosticField

from tenants.database.backend.prefix import LINE_END, Prefix

_LINE = re.compile(r"^LINE (\d+): ", re.MULTILINE)
#: SQLSTATEs that SET LOCAL raises if the hotel's role, the membership in the role, or the schema does not exist.
_PREFIX_SQLSTATES = {"22023", "3F000", "42501", "42704"}
_HINTS = {
    "25001": (
        "It cannot run in a transaction block. "
        "Run it in `with direct_connection():` (tenants.database.connections)."
    ),
}


def statement_error(result: object, *, prefix: Prefix, in_prefix: bool, encoding: str) -> errors.Error:
    """Return the database error in `result`, with a position and a line number in the caller's statement.

    `in_prefix` is true if one of the SET statements before the caller's statement failed.
    """
    error = errors.error_from_result(result, encoding=encoding)  # type: ignore[arg-type]
    if not prefix.result_count:
        return error
    message = str(error)
    position = error.diag.statement_position
    if position is None and in_prefix and error.sqlstate in _PREFIX_SQLSTATES:
        message = (
            f"{message}\nThe role or the schema of the hotel could not be set. The hotel may have been deleted, or its "
            "privileges may have changed. `python manage.py migrate` repairs privileges."
        )
    elif hint := _HINTS.get(error.sqlstate or ""):
        message = f"{message}\n{hint}"
    if position is not None:
        prefix_lines = prefix.sql.count(LINE_END)
        message = _LINE.sub(lambda line: f"LINE {int(line[1]) - prefix_lines}: ", message)
        prefix_length = len(prefix.sql.decode())
        fields: Any = {field: result.error_field(field) for field in DiagnosticField}  # type: ignore[attr-defined]
        fields[DiagnosticField.STATEMENT_POSITION] = str(int(position) - prefix_length).encode()
        error._info = fields  # noqa: SLF001 - psycopg stores the fields of a pickled error in this form
    error.args = (message,)
    return error
