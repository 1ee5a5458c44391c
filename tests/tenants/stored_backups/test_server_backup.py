"""Test that a copy of a whole server can be verified, and that a server that starts from the copy has all rows."""

import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from hotelagent.embedded import paths
from hotelagent.embedded.servers import postgres
from tenants.context import platform_context
from tenants.database.connections import database_settings, direct_connection
from tenants.lifecycle.backup.errors import BackupFailed
from tenants.lifecycle.pgtools import ProgramFailed
from tenants.lifecycle.stored_backups import drill, dumps
from tenants.lifecycle.stored_backups.age_encryption import decrypt
from tests.servers import Servers

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def replicating() -> Iterator[Servers]:
    """Start a PostgreSQL server from which pg_basebackup can copy."""
    running = Servers(in_memory=True)
    running.postgres.options += ("wal_level=replica", "max_wal_senders=2")
    try:
        running.start()
        yield running
    finally:
        running.stop()


def test_server_that_starts_from_a_backup_of_the_server_has_all_rows(
    replicating: Servers, key_file: Path, tmp_path: Path, settings: Any
) -> None:
    url = replicating.postgres.url(postgres.SUPERUSER)
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT generate_series(1, 1000) AS number")
    settings.DATABASE_DIRECT = database_settings(url, direct=True)
    encrypted, plain = tmp_path / "server.age", tmp_path / "server.tar.gz"
    with encrypted.open("wb") as file, direct_connection(), platform_context():
        dumps.write_server_backup(file)
    with encrypted.open("rb") as source, plain.open("wb") as target:
        decrypt(source, target, name="server")
    with plain.open("rb") as file, direct_connection(), platform_context():
        drill._verify_files(file)
    with psycopg.connect(url) as connection:
        connection.execute("DROP TABLE kept")
    copy = Servers(in_memory=True)
    try:
        home = Path(paths.private_folder(copy.postgres.home))
        shutil.copy(replicating.postgres.home / "passwords.json", home)
        copy.postgres.data.mkdir(mode=0o700)
        with tarfile.open(plain) as archive:
            archive.extractall(copy.postgres.data, filter="tar")
        if copy.postgres.user:
            for path in (home, *home.rglob("*")):
                shutil.chown(path, *copy.postgres.user)
        copy.start()
        with psycopg.connect(copy.postgres.url(postgres.SUPERUSER)) as connection:
            assert connection.execute("SELECT count(*), sum(number) FROM kept").fetchone() == (1000, 500_500)
    finally:
        copy.stop()


def test_drill_of_a_changed_copy_of_a_server_fails(tmp_path: Path) -> None:
    """The negative control: a file in the archive of the server differs from the manifest of pg_basebackup."""
    (tmp_path / "backup_manifest").write_text("{}")
    with tarfile.open(tmp_path / "changed.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "backup_manifest", "backup_manifest")
    with (
        (tmp_path / "changed.tar.gz").open("rb") as file,
        direct_connection(),
        platform_context(),
        pytest.raises(ProgramFailed, match="pg_verifybackup failed"),
    ):
        drill._verify_files(file)


def test_backup_of_a_server_without_replication_says_what_is_missing(key_file: Path, tmp_path: Path) -> None:
    with (
        (tmp_path / "server.age").open("wb") as file,
        direct_connection(),
        platform_context(),
        pytest.raises(BackupFailed, match="a login with REPLICATION in DATABASE_DIRECT_URL"),
    ):
        dumps.write_server_backup(file)
