"""Rows as text: COPY of a table in the order of its key, and back.

Masked or not, what leaves the database is what the file has: personal data that are masked never leave it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from django.db import connection
from django.db.backends.utils import CursorWrapper

from tenants.database import quoting
from tenants.lifecycle.backup.archive import Tally
from tenants.lifecycle.backup.errors import BackupRefused
from tenants.lifecycle.backup.manifest import Sequence, Table

#: So that a value has one text, whatever this server's or this login's settings are.
SETTINGS = (
    "SET LOCAL datestyle TO 'ISO, YMD'",
    "SET LOCAL intervalstyle TO 'postgres'",
    "SET LOCAL bytea_output TO 'hex'",
    "SET LOCAL extra_float_digits TO 1",
    "SET LOCAL statement_timeout TO 0",
    "SET LOCAL idle_in_transaction_session_timeout TO 0",
)


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    #: Could hold a name, an address, a secret: text, JSON, bytes, network addresses, and lists of them.
    tells: bool
    is_text: bool


@dataclass(frozen=True, slots=True)
class Source:
    """A table as it stands in the database. `only` is a condition; `in_place` has SQL for columns that are masked."""

    schema: str
    table: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    only: str = "true"
    in_place: dict[str, str] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        return [column.name for column in self.columns]

    @property
    def qualified(self) -> str:
        return quoting.qualified_name(self.schema, self.table)

    def query(self) -> str:
        """Its rows in the order of the key; texts by their bytes, for a collation differs from server to server."""
        values = ", ".join(
            f"{self.in_place.get(name, quoting.identifier(name))} AS {quoting.identifier(name)}"
            for name in self.names
        )
        texts = {column.name for column in self.columns if column.is_text}
        order = ", ".join(
            quoting.identifier(name) + (' COLLATE "C"' if name in texts else "") for name in self.key
        )
        return (
            f"SELECT {quoting.identifiers(*self.names)} "  # noqa: S608 - names from the catalog, quoted
            f"FROM (SELECT {values} FROM {self.qualified} WHERE {self.only}) AS r ORDER BY {order}"
        )


_CATALOG = """
SELECT c.relname::text, a.attname::text, a.attcollation <> 0,
    t.typcategory NOT IN ('N', 'B', 'D', 'T', 'R') AND t.typname <> 'uuid',
    array_position(i.indkey::int2[], a.attnum)
FROM pg_class c
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
WHERE c.relnamespace = to_regnamespace(%s) AND c.relkind = 'r' AND (%s::text[] IS NULL OR c.relname = ANY(%s))
ORDER BY c.relname COLLATE "C", a.attnum
"""


def find_sources(cursor: CursorWrapper, schema: str, tables: list[str] | None = None) -> list[Source]:
    """The tables of a schema, or some of them, with the columns that are stored and the primary key."""
    cursor.execute(_CATALOG, [quoting.identifier(schema), tables, tables])
    found: dict[str, list[tuple[Column, int | None]]] = {}
    for table, name, is_text, tells, place in cursor.fetchall():
        found.setdefault(table, []).append((Column(name, tells, is_text), place))
    made = []
    for table, columns in found.items():
        key = sorted((place, column.name) for column, place in columns if place is not None)
        if not key:
            raise BackupRefused(
                f"{schema}.{table} has no primary key, so its rows have no order to compare them in."
            )
        made.append(Source(schema, table, tuple(c for c, _ in columns), tuple(name for _, name in key)))
    return made


def copy_out(cursor: CursorWrapper, source: Source, write: Callable[[bytes], object] | None = None) -> Table:
    """Send the rows to `write`; what they are."""
    tally = Tally()
    with connection.wrap_database_errors, cursor.copy(f"COPY ({source.query()}) TO STDOUT") as copy:
        for data in copy:
            tally.add(data)
            if write is not None:
                write(data)
    return Table(source.table, source.names, list(source.key), tally.rows, tally.sha256)


def copy_in(cursor: CursorWrapper, target: str, columns: list[str], chunks: Iterable[bytes]) -> Tally:
    """Store rows in the table `target`, which is qualified and quoted."""
    tally = Tally()
    with (
        connection.wrap_database_errors,
        cursor.copy(f"COPY {target} ({quoting.identifiers(*columns)}) FROM STDIN") as copy,
    ):
        for chunk in chunks:
            tally.add(chunk)
            copy.write(chunk)
    return tally


def read_sequences(cursor: CursorWrapper, schema: str) -> list[Sequence]:
    cursor.execute(
        "SELECT relname::text FROM pg_class WHERE relkind = 'S' AND relnamespace = to_regnamespace(%s) "
        'ORDER BY relname COLLATE "C"',
        [quoting.identifier(schema)],
    )
    found = []
    for (name,) in cursor.fetchall():
        cursor.execute(f"SELECT last_value, is_called FROM {quoting.qualified_name(schema, name)}")  # noqa: S608
        found.append(Sequence(name, *cursor.fetchone()))
    return found


def set_canonical_output(cursor: CursorWrapper) -> None:
    """Until the open transaction ends, a value has one text."""
    for setting in SETTINGS:
        cursor.execute(setting)
