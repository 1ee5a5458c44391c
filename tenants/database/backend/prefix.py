"""The prefix: the SET statements that the backend sends before every statement of a tenant.

The effect of `SET LOCAL` ends with the open transaction, or with the implicit transaction of the round trip. The server
connection therefore keeps no settings of a tenant.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal, NamedTuple

from django_tenants.postgresql_backend.base import is_valid_schema_name
from django_tenants.utils import quote_schema_name

#: The SET statements end with a newline, so that "LINE n" in PostgreSQL's errors shows only the caller's statement.
LINE_END = b"\n"
#: With this value of the argument `role`, statements run as the login role (SET ROLE NONE).
LOGIN_ROLE = ""


class Prefix(NamedTuple):
    """The SQL that is sent before a statement, and the number of results that PostgreSQL returns for this SQL."""

    sql: bytes
    result_count: int


NO_PREFIX = Prefix(b"", 0)


@lru_cache(maxsize=16_384)
def build_prefix(
    *,
    path: tuple[str, ...],
    role: str | None,
    time_zone: str | None,
    level: Literal["LOCAL", "SESSION"] = "LOCAL",
) -> Prefix:
    """Return SET statements for the search path, the role and the time zone. None means that the value is not set.

    Use `level="SESSION"` only on the direct connection, for statements that cannot run in a transaction block.
    Raises ValueError if a schema name is not valid.
    """
    for schema in path:
        if not is_valid_schema_name(schema):
            raise ValueError(f"{schema!r} is not a valid schema name.")
    settings = []
    if role is not None:
        settings.append(f"SET {level} ROLE {'NONE' if role == LOGIN_ROLE else quote_schema_name(role)}")
    # If the search path did not name pg_temp, a temporary table would hide the hotel's table with the same name.
    schemas = ", ".join([*(quote_schema_name(schema) for schema in path), "pg_temp"])
    settings.append(f"SET {level} search_path TO {schemas}")
    if time_zone is not None:
        settings.append(f"SET {level} TimeZone TO '{time_zone}'")
    return Prefix(b"; ".join(s.encode() for s in settings) + b";" + LINE_END, len(settings))
