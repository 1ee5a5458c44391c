"""PostgreSQL's errors, told about the statement the caller wrote and not about the message we sent."""

from __future__ import annotations

import re
from typing import Any

from psycopg import errors
from psycopg.pq import DiagnosticField

from tenants.database.backend.prefix import END, Prefix

_LINE = re.compile(r"^LINE (\d+): ", re.MULTILINE)
# What SET LOCAL ROLE and SET LOCAL search_path answer where the role, the right to take it or the schema is gone.
_OF_SETTINGS = {"22023", "3F000", "42501", "42704"}
_HINTS = {
    "25001": (
        "It cannot run in a transaction block. "
        "Run it in `with direct_connection():` (tenants.database.connections)."
    ),
}


def of_statement(result: object, *, prefix: Prefix, in_settings: bool, encoding: str) -> errors.Error:
    """The error of `result`, its position and lines counted from the start of the statement."""
    error = errors.error_from_result(result, encoding=encoding)  # type: ignore[arg-type]
    if not prefix.results:
        return error
    message = str(error)
    position = error.diag.statement_position
    if position is None and in_settings and error.sqlstate in _OF_SETTINGS:
        message = (
            f"{message}\nThe hotel's role or schema could not be set. It may be gone, or its grants may have "
            "drifted: `python manage.py migrate` mends them."
        )
    elif hint := _HINTS.get(error.sqlstate or ""):
        message = f"{message}\n{hint}"
    if position is not None:
        lines = prefix.message.count(END)
        message = _LINE.sub(lambda line: f"LINE {int(line[1]) - lines}: ", message)
        before = len(prefix.message.decode())
        fields: Any = {field: result.error_field(field) for field in DiagnosticField}  # type: ignore[attr-defined]
        fields[DiagnosticField.STATEMENT_POSITION] = str(int(position) - before).encode()
        error._info = fields  # noqa: SLF001 - psycopg's own form of a pickled error
    error.args = (message,)
    return error
