"""The settings that every statement carries, as one run of bytes a tenant.

`SET LOCAL` inside a message of several statements ends with the message's implicit transaction, or with the
transaction that is open: nothing stays on the server connection.
https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-MULTI-STATEMENT
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from django_tenants.postgresql_backend.base import is_valid_schema_name
from django_tenants.utils import quote_schema_name

# A newline, so that PostgreSQL's "LINE 1: ..." in an error shows the statement's own line (errors.py counts).
END = b"\n"
NO_ROLE = ""


class Prefix(NamedTuple):
    """`results`: how many results stand before the statement's own."""

    message: bytes
    results: int


NOTHING = Prefix(b"", 0)


@lru_cache(maxsize=16_384)
def settings_of(
    *, path: tuple[str, ...], role: str | None, time_zone: str | None, how: str = "LOCAL"
) -> Prefix:
    """`role`: None leaves it as it is (direct route, or a database without hotel roles), "" takes it off.

    `how`: "SESSION" is for the direct route and what may not run in a transaction block.
    """
    for schema in path:
        if not is_valid_schema_name(schema):
            raise ValueError(f"{schema!r} can't name a schema.")
    settings = []
    if role is not None:
        settings.append(f"SET {how} ROLE {quote_schema_name(role) if role else 'NONE'}")
    settings.append(f"SET {how} search_path TO {', '.join(quote_schema_name(s) for s in path)}")
    if time_zone is not None:
        settings.append(f"SET {how} TimeZone TO '{time_zone}'")
    return Prefix(b"; ".join(s.encode() for s in settings) + b";" + END, len(settings))
