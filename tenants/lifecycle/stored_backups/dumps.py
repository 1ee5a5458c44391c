"""Backups of the platform's tables and of the whole database (pg_dump), and of the whole server (pg_basebackup).

A dump begins with two lines: the format, and a manifest with the number of rows of each table, as JSON. The rest is
pg_dump's custom format. All data of a dump come from one snapshot.
"""

import contextlib
import io
import json
from collections.abc import Iterator
from typing import Any, BinaryIO

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from tenants.context import PUBLIC_SCHEMA
from tenants.database import catalog, quoting
from tenants.lifecycle import pgtools, schema_template
from tenants.lifecycle.backup.errors import BackupFailed, CorruptBackup
from tenants.lifecycle.stored_backups import age_encryption
from tenants.lifecycle.stored_backups.names import Kind

_FORMAT = b"hotelagent database backup, format 1\n"
#: The schemas of the platform's own tables, and of the template of new hotels.
PLATFORM_SCHEMAS = (PUBLIC_SCHEMA, schema_template.SCHEMA)
#: The maximum length of the manifest in bytes. The manifest has about 30 bytes for each table.
_MAX_LINE = 256 << 20


def write_dump(kind: Kind, target: BinaryIO) -> dict[str, Any]:
    """Dump the platform's tables or the whole database, and write the encrypted dump. Return its manifest.

    Needs the direct connection and the platform's context. Raises BackupFailed.
    """
    with _translate_errors(), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        cursor.execute("SET LOCAL statement_timeout TO 0; SET LOCAL idle_in_transaction_session_timeout TO 0")
        cursor.execute("SELECT pg_export_snapshot(), transaction_timestamp()")
        snapshot, created_at = cursor.fetchone()
        schemas = PLATFORM_SCHEMAS if kind is Kind.PLATFORM else _list_schemas(cursor)
        manifest = {
            "kind": kind.value,
            "created_at": created_at.isoformat(),
            "version": settings.VERSION,
            "server_version": connection.connection.info.server_version,
            "platform_host": settings.PLATFORM_HOST,
            "rows": {schema: count_rows(cursor, schema) for schema in schemas},
        }
        first_lines = _FORMAT + json.dumps(manifest).encode() + b"\n"
        only = [f"--schema={schema}" for schema in schemas] if kind is Kind.PLATFORM else []
        with pgtools.open_output("pg_dump", "--format=custom", f"--snapshot={snapshot}", *only) as dump:
            age_encryption.encrypt(_Concatenated(first_lines, dump), target)
        return manifest


def write_server_backup(target: BinaryIO) -> None:
    """Copy the files of the whole database server with pg_basebackup, as an encrypted tar file.

    The file contains the WAL that the copy needs to be consistent, and a manifest for pg_verifybackup. The login of the
    direct connection needs the privilege REPLICATION. Raises BackupFailed.
    """
    with (
        _translate_errors(),
        pgtools.open_output(
            "pg_basebackup", "--pgdata=-", "--format=tar", "--wal-method=fetch", "--checkpoint=fast", "--gzip"
        ) as files,
    ):
        age_encryption.encrypt(files, target)


def read_manifest(file: BinaryIO) -> dict[str, Any]:
    """Return the manifest of a decrypted dump. The file's position is then at the beginning of pg_dump's data.

    Raises CorruptBackup.
    """
    if file.readline(len(_FORMAT)) != _FORMAT:
        raise CorruptBackup(
            "The file is not a backup of a database that this version of hotelagent can read."
        )
    manifest: dict[str, Any] = json.loads(file.readline(_MAX_LINE))
    return manifest


def count_rows(cursor: CursorWrapper, schema: str) -> dict[str, int]:
    """Return the number of rows of each table of a schema."""
    cursor.execute(
        f"SELECT relname::text FROM ({catalog.RELATIONS_OF_SCHEMA}) AS relation "  # noqa: S608 - a constant
        "JOIN pg_class ON pg_class.oid = relation.objid AND relkind = 'r' ORDER BY 1",
        {"schema": quoting.identifier(schema)},
    )
    tables = [name for (name,) in cursor.fetchall()]
    if not tables:
        return {}
    cursor.execute(
        " UNION ALL ".join(
            f"SELECT {quoting.literal(table)}, count(*) FROM {quoting.qualified_name(schema, table)}"  # noqa: S608
            for table in tables
        )
    )
    return dict(cursor.fetchall())


def _list_schemas(cursor: CursorWrapper) -> list[str]:
    cursor.execute(
        "SELECT nspname::text FROM pg_namespace WHERE nspname NOT LIKE 'pg\\_%%' AND nspname <> 'information_schema' "
        "ORDER BY 1",
        [],
    )
    return [name for (name,) in cursor.fetchall()]


class _Concatenated(io.RawIOBase, BinaryIO):
    """A file for reading: some bytes, followed by the content of another file."""

    def __init__(self, first: bytes, rest: BinaryIO) -> None:
        self._first = io.BytesIO(first)
        self._rest = rest

    def read(self, size: int = -1) -> bytes:
        return self._first.read(size) or self._rest.read(size)


@contextlib.contextmanager
def _translate_errors() -> Iterator[None]:
    try:
        yield
    except (ImproperlyConfigured, pgtools.ProgramFailed) as error:
        text = str(error)
        if "replication" in text or "wal_level" in text or "max_wal_senders" in text:
            text += (
                "\nA backup of the whole server needs wal_level=replica or higher, max_wal_senders of at least 1, an "
                "entry for `replication` in pg_hba.conf, and a login with REPLICATION in DATABASE_DIRECT_URL. "
                "Providers of managed databases make such backups themselves. Use --kind database there."
            )
        raise BackupFailed(text) from error
