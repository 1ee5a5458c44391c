"""What tests ask the database itself."""

import re
from typing import Any

from django.db import connection

from tenants.context import platform_context
from tenants.database.connections import direct_connection
from tenants.lifecycle import pgtools

#: The most relations that a hotel may own: each costs half a millisecond, a lock and backend memory. Raise it
#: knowingly.
RELATIONS = 63


def ask(query: str, *values: Any) -> list[tuple[Any, ...]]:
    """Rows of a query that runs as the owner."""
    with direct_connection(), platform_context(), connection.cursor() as cursor:
        cursor.execute(query, values or None)
        return list(cursor.fetchall())


def run(statement: str) -> None:
    with direct_connection(), platform_context(), connection.cursor() as cursor:
        cursor.execute(statement)


def schemas() -> set[str]:
    return {row[0] for row in ask("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'hotel\\_%'")}


def hotel_roles() -> set[str]:
    return {row[0] for row in ask("SELECT rolname FROM pg_roles WHERE rolname LIKE 'hotel\\_%'")}


def relations_of(schema: str) -> tuple[int, int, int]:
    """Tables, indexes and sequences."""
    rows = ask(
        "SELECT count(*) FILTER (WHERE relkind = 'r'), count(*) FILTER (WHERE relkind = 'i'), "
        "count(*) FILTER (WHERE relkind = 'S') FROM pg_class WHERE relnamespace = %s::regnamespace",
        schema,
    )
    tables, indexes, sequences = rows[0]
    return tables, indexes, sequences


def dump(schema: str) -> str:
    """The schema and its rows as pg_dump sees them, under the name SCHEMA, without what can't be the same twice."""
    with direct_connection(), platform_context():
        # The trail's rows stay out: an event recorded apart outlives the transaction of the test that caused it.
        text = pgtools.run(
            "pg_dump",
            f"--schema={schema}",
            f"--exclude-table-data={schema}.audit_event",
            "--no-privileges",
            "--inserts",
        )
    text = re.sub(rf"\b{schema}\b", "SCHEMA", text)
    text = re.sub(r"^\\(un)?restrict .*$", "", text, flags=re.MULTILINE)
    # PostgreSQL writes `varchar IN (...)` one way when it was parsed from IN, and another when from its own text.
    text = re.sub(r"\(\(?ARRAY\[([^\[\]()]*)\]\)::text\[\]\)?", _cast_each, text)
    # When a migration was recorded, and ids that a migration made.
    text = re.sub(r"'\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[.\d+]*'", "MOMENT", text)
    return re.sub(r"'[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f-]{17}'", "ID", text)


def _cast_each(found: re.Match[str]) -> str:
    return "(ARRAY[" + ", ".join(f"({value})::text" for value in found[1].split(", ")) + "])"
