"""The migration operations that set how PostgreSQL stores long values of a column."""

from django.db import migrations


def store_inline(table: str, *columns: str, model_name: str) -> migrations.RunSQL:
    """Return an operation that turns off compression and TOAST storage for columns of a table.

    PostgreSQL creates a TOAST table for each table with long columns, unless all columns of variable length are stored
    inline. List all columns of variable length, and use this operation only if the longest row fits into a page of 8
    kB. It has an effect on new hotels with PostgreSQL 16 or later.
    """
    storage = ", ".join(f"ALTER COLUMN {column} SET STORAGE PLAIN" for column in columns)
    return migrations.RunSQL(
        f"ALTER TABLE {table} {storage}", migrations.RunSQL.noop, hints={"model_name": model_name}
    )


def store_uncompressed(table: str, *columns: str, model_name: str) -> migrations.RunSQL:
    """Return an operation that turns off compression for columns of a table. Long values are in the TOAST table.

    Use this operation for columns with long values that are written often, because compression takes much time.
    """
    storage = ", ".join(f"ALTER COLUMN {column} SET STORAGE EXTERNAL" for column in columns)
    return migrations.RunSQL(
        f"ALTER TABLE {table} {storage}",
        f"ALTER TABLE {table} {storage.replace('EXTERNAL', 'EXTENDED')}",
        hints={"model_name": model_name},
    )
