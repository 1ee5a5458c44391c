"""Tests of S3-compatible storage with the server of moto, which runs in a separate process and speaks S3 over HTTP."""

import datetime
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import boto3
import pytest

from hotelagent.embedded import ports, processes
from tenants.lifecycle.stored_backups import s3_storage
from tenants.lifecycle.stored_backups.create import list_backups
from tenants.lifecycle.stored_backups.errors import BackupStorageUnavailable, StoredBackupNotFound
from tenants.lifecycle.stored_backups.names import hotel_target, make_name
from tenants.lifecycle.stored_backups.storage import get_storage
from tenants.models import Hotel
from tests.tenants.stored_backups.stored import run

START_SECONDS = 60


@pytest.fixture(scope="module")
def s3_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Start the S3 server, and return its port."""
    port = ports.find_free_port()
    log = tmp_path_factory.mktemp("s3") / "log"
    with log.open("wb") as output:
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
        server = subprocess.Popen(command, stdout=output, stderr=output)
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            urlopen(f"http://127.0.0.1:{port}/moto-api/", timeout=5).close()
            break
        except OSError:
            assert server.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
    yield port
    processes.stop(server, signal_number=signal.SIGTERM, timeout=10)


@pytest.fixture
def client(s3_port: int) -> Any:
    """Return a client of the S3 server, which has one empty bucket."""
    client = boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{s3_port}",
        aws_access_key_id="key",
        aws_secret_access_key="secret",
        region_name="us-east-1",
    )
    urlopen(f"http://127.0.0.1:{s3_port}/moto-api/reset", data=b"").close()
    client.create_bucket(Bucket="hotel-backups")
    return client


@pytest.fixture
def storage(client: Any, s3_port: int, settings: Any) -> Any:
    settings.BACKUP_URL = f"s3://key:sec%2Fret@hotel-backups/prod?endpoint_url=http://127.0.0.1:{s3_port}"
    return get_storage()


def keys(client: Any) -> list[str]:
    return [item["Key"] for item in client.list_objects_v2(Bucket="hotel-backups").get("Contents", ())]


def uploads(client: Any) -> list[Any]:
    return list(client.list_multipart_uploads(Bucket="hotel-backups").get("Uploads", ()))


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("key_file")
def test_backup_in_s3_is_stored_listed_fetched_drilled_and_rotated(
    hotel: Hotel, storage: Any, client: Any, tmp_path: Path, settings: Any
) -> None:
    settings.BACKUP_KEEP_DAILY = settings.BACKUP_KEEP_WEEKLY = settings.BACKUP_KEEP_MONTHLY = 0
    expired = make_name(hotel_target(hotel.id), datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC))
    client.put_object(Bucket="hotel-backups", Key=f"prod/{expired}", Body=b"")
    [backup] = run("backup_all", hotel=["alpha"])["backups"]
    assert keys(client) == [f"prod/{backup['name']}"]
    [listed] = list_backups(storage)
    assert (listed.name, listed.size) == (backup["name"], backup["bytes"])
    assert run("restore_drill", hotel=["alpha"])["passed"] == 1
    assert run("fetch_backup", backup["name"], to=tmp_path / "alpha.hotel")["bytes"] > 0


def test_large_object_is_uploaded_in_parts_and_visible_only_when_complete(
    storage: Any, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3_storage, "PART_SIZE", 5 << 20)
    block = bytes(range(256)) * 4096
    with storage.open_writer("large") as file:
        for _ in range(12):
            file.write(block)
        assert keys(client) == []
        assert len(uploads(client)) == 1
    assert keys(client) == ["prod/large"]
    assert uploads(client) == []
    with storage.open_reader("large") as file:
        assert file.read() == block * 12


def test_failed_upload_leaves_no_object_and_no_parts(
    storage: Any, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3_storage, "PART_SIZE", 5 << 20)

    def upload() -> None:
        with storage.open_writer("large") as file:
            file.write(bytes(6 << 20))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        upload()
    assert (keys(client), uploads(client)) == ([], [])


def test_parts_of_a_killed_upload_are_deleted_after_two_days(
    storage: Any, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.create_multipart_upload(Bucket="hotel-backups", Key="prod/killed")
    client.create_multipart_upload(Bucket="hotel-backups", Key="other/killed")
    # The server of moto says that each upload began in 2010.
    with monkeypatch.context() as patch:
        patch.setattr(s3_storage, "ABANDONED_AFTER", 10_000 * s3_storage.ABANDONED_AFTER)
        assert storage.delete_abandoned_uploads("") == 0
    assert storage.delete_abandoned_uploads("") == 1
    assert [upload["Key"] for upload in uploads(client)] == ["other/killed"]


def test_errors_of_s3_name_the_bucket_but_not_the_secret(storage: Any, client: Any, settings: Any) -> None:
    with (
        pytest.raises(StoredBackupNotFound, match="does not contain missing"),
        storage.open_reader("missing"),
    ):
        pass
    client.delete_bucket(Bucket="hotel-backups")
    with pytest.raises(BackupStorageUnavailable, match="NoSuchBucket") as caught:
        storage.list_objects("")
    assert "s3://hotel-backups/prod" in str(caught.value)
    assert "sec" not in str(caught.value)
    settings.BACKUP_URL = (
        f"s3://key:sec%2Fret@hotel-backups/prod?endpoint_url=http://127.0.0.1:{ports.find_free_port()}"
    )
    with (
        pytest.raises(BackupStorageUnavailable, match="does not respond") as caught,
        get_storage().open_writer("x"),
    ):
        pass
    assert "sec" not in str(caught.value)
