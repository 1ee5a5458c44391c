"""Export and import of table rows in COPY's text format, ordered by the primary key.

A masked export masks values in its SQL query, so the original personal data never leave the database.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from django.db import connection
from django.db.backends.utils import CursorWrapper

from tenants.database import catalog, quoting
from tenants.lifecycle.backup.archive import RowDigest
from tenants.lifecycle.backup.errors import BackupConflict
from tenants.lifecycle.backup.manifest import Sequence, Table

#: The type of a callback that is called after each table with the table's name and its number of rows.
Progress = Callable[[str, int], None]

#: Settings that make the text form of values identical on all servers and for all logins, and turn off time limits.
_OUTPUT_SETTINGS = (
    "SET LOCAL datestyle TO 'ISO, YMD'",
    "SET LOCAL intervalstyle TO 'postgres'",
    "SET LOCAL bytea_output TO 'hex'",
    "SET LOCAL extra_float_digits TO 1",
    "SET LOCAL statement_timeout TO 0",
    "SET LOCAL idle_in_transaction_session_timeout TO 0",
)


@dataclass(frozen=True, slots=True)
class Column:
    """A stored column.

    `is_sensitive` is true if its type can hold personal data or secrets: text, JSON, bytes, network addresses, and
    arrays of these types.
    """

    name: str
    is_sensitive: bool
    is_text: bool


@dataclass(frozen=True, slots=True)
class TableSource:
    """A table whose rows are copied.

    `condition` is an SQL condition that limits the rows. `masks` maps a column to the SQL expression that masks it.
    """

    schema: str
    table: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    condition: str = "true"
    masks: dict[str, str] = field(default_factory=dict)

    @property
    def column_names(self) -> list[str]:
        return [column.name for column in self.columns]

    @property
    def qualified_name(self) -> str:
        return quoting.qualified_name(self.schema, self.table)

    def query(self) -> str:
        """Return the query that reads the table's rows in the order of the table's key.

        Text columns are sorted by their bytes, because collations differ between servers.
        """
        values = ", ".join(
            f"{self.masks.get(name, quoting.identifier(name))} AS {quoting.identifier(name)}"
            for name in self.column_names
        )
        texts = {column.name for column in self.columns if column.is_text}
        order = ", ".join(
            quoting.identifier(name) + (' COLLATE "C"' if name in texts else "") for name in self.key
        )
        return (
            f"SELECT {quoting.identifiers(*self.column_names)} "  # noqa: S608 - names from the catalog, quoted
            f"FROM (SELECT {values} FROM {self.qualified_name} WHERE {self.condition}) AS r ORDER BY {order}"
        )


#: The query for the columns of a schema's tables.
#: The query reads pg_type and pg_index in subqueries, which find each row by its key.
#: Joins with pg_type and pg_index would be slower, because PostgreSQL might read the rows of all hotels.
_COLUMNS = f"""
SELECT c.relname::text, a.attname::text, a.attcollation <> 0,
    (SELECT t.typcategory NOT IN ('N', 'B', 'D', 'T', 'R') AND t.typname <> 'uuid'
     FROM pg_type t WHERE t.oid = a.atttypid),
    (SELECT array_position(i.indkey::int2[], a.attnum)
     FROM pg_index i WHERE i.indrelid = a.attrelid AND i.indisprimary)
FROM ({catalog.RELATIONS_OF_SCHEMA}) AS relation
JOIN pg_class c ON c.oid = relation.objid AND c.relkind = 'r'
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
WHERE %(tables)s::text[] IS NULL OR c.relname = ANY(%(tables)s)
ORDER BY c.relname COLLATE "C", a.attnum
"""  # noqa: S608 - RELATIONS_OF_SCHEMA is a constant


def list_table_sources(
    cursor: CursorWrapper, schema: str, tables: list[str] | None = None
) -> list[TableSource]:
    """Return a TableSource for each table of a schema, with its stored columns and primary key.

    Raises BackupConflict for a table without a primary key.
    """
    cursor.execute(_COLUMNS, {"schema": quoting.identifier(schema), "tables": tables})
    by_table: dict[str, list[tuple[Column, int | None]]] = {}
    for table, name, is_text, is_sensitive, key_position in cursor.fetchall():
        by_table.setdefault(table, []).append((Column(name, is_sensitive, is_text), key_position))
    sources = []
    for table, columns in by_table.items():
        key = sorted((position, column.name) for column, position in columns if position is not None)
        if not key:
            raise BackupConflict(
                f"{schema}.{table} has no primary key, so its rows have no fixed order and cannot be compared."
            )
        sources.append(
            TableSource(schema, table, tuple(column for column, _ in columns), tuple(name for _, name in key))
        )
    return sources


def copy_out(
    cursor: CursorWrapper, source: TableSource, write: Callable[[bytes], object] | None = None
) -> Table:
    """Read the rows of a table, pass the rows to `write`, and return the table's manifest entry."""
    digest = RowDigest()
    with connection.wrap_database_errors, cursor.copy(f"COPY ({source.query()}) TO STDOUT") as copy:
        for data in copy:
            digest.add(data)
            if write is not None:
                write(data)
    return Table(source.table, source.column_names, list(source.key), digest.rows, digest.sha256)


def copy_in(cursor: CursorWrapper, target: str, columns: list[str], chunks: Iterable[bytes]) -> RowDigest:
    """Insert rows into the table `target`, which must be a qualified and quoted name. Return the digest of the rows."""
    digest = RowDigest()
    with (
        connection.wrap_database_errors,
        cursor.copy(f"COPY {target} ({quoting.identifiers(*columns)}) FROM STDIN") as copy,
    ):
        for chunk in chunks:
            digest.add(chunk)
            copy.write(chunk)
    return digest


def read_sequences(cursor: CursorWrapper, schema: str) -> list[Sequence]:
    """Return the state of the schema's sequences, ordered by name."""
    cursor.execute(
        f"SELECT relname::text FROM ({catalog.RELATIONS_OF_SCHEMA}) AS relation "  # noqa: S608 - a constant
        "JOIN pg_class ON pg_class.oid = relation.objid AND relkind = 'S' ORDER BY relname COLLATE \"C\"",
        {"schema": quoting.identifier(schema)},
    )
    sequences = []
    for (name,) in cursor.fetchall():
        cursor.execute(f"SELECT last_value, is_called FROM {quoting.qualified_name(schema, name)}")  # noqa: S608
        sequences.append(Sequence(name, *cursor.fetchone()))
    return sequences


def apply_output_settings(cursor: CursorWrapper) -> None:
    """Set a fixed output format for values, and turn off time limits, until the end of the open transaction."""
    for setting in _OUTPUT_SETTINGS:
        cursor.execute(setting)
