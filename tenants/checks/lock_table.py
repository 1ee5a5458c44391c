"""A system check that PostgreSQL's lock table is large enough for locks on the tables of all hotels."""

import math
from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Tags, Warning, register  # noqa: A004
from django.db import DEFAULT_DB_ALIAS, connection
from django.db import Error as DatabaseError
from django.db.backends.utils import CursorWrapper

from tenants.context import PUBLIC_SCHEMA, platform_context
from tenants.database import catalog, quoting

#: For each connection and each prepared transaction, the lock table has space for `max_locks_per_transaction` locks.
#: PostgreSQL documents max_locks_per_transaction at https://www.postgresql.org/docs/current/runtime-config-locks.html.
_SETTINGS = """
SELECT current_setting('max_locks_per_transaction')::int,
    current_setting('max_connections')::int + current_setting('max_prepared_transactions')::int,
    to_regclass('public.tenants_hotel') IS NOT NULL
"""
_COUNT_TABLES = f"""
SELECT count(*) FROM ({catalog.RELATIONS_OF_SCHEMA}) AS relation
JOIN pg_catalog.pg_class c ON c.oid = relation.objid AND c.relkind IN ('r', 'p')
"""  # noqa: S608 - RELATIONS_OF_SCHEMA is a constant


@register(Tags.database)
def check_lock_table(*, databases: Sequence[str] | None = None, **_options: Any) -> list[CheckMessage]:
    """Warn if a pg_dump of the whole database may run out of locks. pg_dump locks every table in one transaction."""
    if not databases or DEFAULT_DB_ALIAS not in databases:
        return []
    try:
        with platform_context(), connection.cursor() as cursor:
            cursor.execute(_SETTINGS)
            per_transaction, transactions, is_migrated = cursor.fetchone()
            if not is_migrated:
                return []
            cursor.execute(
                "SELECT count(*), min(schema) FILTER (WHERE status <> 'provisioning') FROM tenants_hotel"
            )
            hotels, hotel_schema = cursor.fetchone()
            if hotel_schema is None:
                return []
            # Every hotel's schema has the same tables as the template schema.
            tables = _count_tables(cursor, PUBLIC_SCHEMA) + (hotels + 1) * _count_tables(cursor, hotel_schema)
    except DatabaseError:
        return []  # check_runtime_login reports the error
    capacity = per_transaction * transactions
    if tables <= capacity:
        return []
    # Recommend enough locks for twice the current number of hotels, rounded up to a multiple of PostgreSQL's default.
    recommended = 64 * math.ceil(2 * tables / transactions / 64)
    return [
        Warning(
            f"A pg_dump of the whole database locks {tables} tables ({hotels} hotels), and this server guarantees room "
            f"for {capacity} locks. The dump may fail with `out of shared memory`.",
            hint=f"As an administrator, run `ALTER SYSTEM SET max_locks_per_transaction = {recommended};` and restart "
            "PostgreSQL. backup_hotel does not need it.",
            id="tenants.W026",
        )
    ]


def _count_tables(cursor: CursorWrapper, schema: str) -> int:
    cursor.execute(_COUNT_TABLES, {"schema": quoting.identifier(schema)})
    return int(cursor.fetchone()[0])
