"""Queries that tests run directly on the database, as its owner."""

import re
from typing import Any

from django.db import connection

from tenants.context import platform_context
from tenants.database.connections import direct_connection
from tenants.lifecycle import pgtools

#: The maximum number of relations per hotel. Increase the limit only for a good reason.
#: Each relation costs half a millisecond of provisioning, a lock, and memory in each PostgreSQL process.
MAX_RELATIONS = 91


def query(statement: str, *values: Any) -> list[tuple[Any, ...]]:
    """Execute a statement as the owner of the database, and return the rows."""
    with direct_connection(), platform_context(), connection.cursor() as cursor:
        cursor.execute(statement, values or None)
        return list(cursor.fetchall())


def execute(statement: str) -> None:
    with direct_connection(), platform_context(), connection.cursor() as cursor:
        cursor.execute(statement)


def list_schemas() -> set[str]:
    """Return the names of the schemas of all hotels."""
    return {row[0] for row in query("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'hotel\\_%'")}


def list_hotel_roles() -> set[str]:
    """Return the names of the roles of all hotels on this server."""
    return {row[0] for row in query("SELECT rolname FROM pg_roles WHERE rolname LIKE 'hotel\\_%'")}


def count_relations(schema: str) -> tuple[int, int, int]:
    """Return the number of tables, indexes and sequences of the schema."""
    rows = query(
        "SELECT count(*) FILTER (WHERE relkind = 'r'), count(*) FILTER (WHERE relkind = 'i'), "
        "count(*) FILTER (WHERE relkind = 'S') FROM pg_class WHERE relnamespace = %s::regnamespace",
        schema,
    )
    tables, indexes, sequences = rows[0]
    return tables, indexes, sequences


def dump_schema(schema: str) -> str:
    """Return the schema and its rows as pg_dump prints them, so that two hotels can be compared.

    The name of the schema is replaced by SCHEMA. Times, generated ids and the transaction numbers of changes are also
    replaced, because they differ between hotels.
    """
    with direct_connection(), platform_context():
        # The audit trail is left out, because events of earlier tests may be left in it.
        text = pgtools.run(
            "pg_dump",
            f"--schema={schema}",
            f"--exclude-table-data={schema}.audit_event",
            "--no-privileges",
            "--inserts",
        )
    text = re.sub(rf"\b{schema}\b", "SCHEMA", text)
    text = re.sub(r"^\\(un)?restrict .*$", "", text, flags=re.MULTILINE)
    text = normalize_lists(text)
    text = re.sub(r"'\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[.\d+]*'", "TIME", text)
    tables = "dlq_failure|locks_allocation|reminders_reminder|reminders_reservation"
    text = re.sub(rf"(SCHEMA\.(?:{tables}) VALUES .*TIME, )\d+", r"\1TRANSACTION", text)
    return re.sub(r"'[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f-]{17}'", "ID", text)


def normalize_lists(text: str) -> str:
    """Return the SQL text with all `varchar IN (...)` conditions converted to one form.

    PostgreSQL prints the condition in one form after CREATE TABLE, and in another form after a restore from a dump.
    """
    return re.sub(r"\(\(?ARRAY\[([^\[\]()]*)\]\)::text\[\]\)?", _cast_elements, text)


def _cast_elements(match: re.Match[str]) -> str:
    return "(ARRAY[" + ", ".join(f"({value})::text" for value in match[1].split(", ")) + "])"
