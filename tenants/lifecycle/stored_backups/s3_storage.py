"""S3-compatible storage of backups. Large backups are uploaded in parts, in constant memory."""

import contextlib
import datetime
import io
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO, Self, cast
from urllib.parse import unquote

from django.core.exceptions import ImproperlyConfigured

from hotelagent.core.service_urls import ServiceURL
from tenants.lifecycle.stored_backups.errors import (
    BackupStorageUnavailable,
    InvalidBackupSettings,
    StoredBackupNotFound,
)

try:
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError as missing:
    raise ImproperlyConfigured(
        "BACKUP_URL names S3-compatible storage, which needs the package boto3. Run "
        "`pip install --require-hashes -r requirements/ses.txt`."
    ) from missing

#: The size of the first parts of an upload, in bytes. S3 requires at least 5 MiB.
PART_SIZE = 16 << 20
#: After this number of parts of an upload, the size of the next parts is doubled. S3 allows 10,000 parts, so a backup
#: of 1 TB can be uploaded.
_PARTS_PER_SIZE = 2_000
#: Uploads that began longer ago than this and were not completed are deleted. No backup takes so long.
ABANDONED_AFTER = datetime.timedelta(days=2)
_OPTIONS = frozenset({"endpoint_url", "region"})


class S3Storage:
    """A bucket of S3-compatible storage. Names of objects begin with `folder`."""

    def __init__(self, client: Any, *, bucket: str, folder: str) -> None:
        self.client = client
        self.bucket = bucket
        self.folder = f"{folder}/" if folder else ""
        self.place = f"s3://{bucket}/{folder}"

    @classmethod
    def from_url(cls, url: ServiceURL) -> Self:
        """Return the storage for `s3://key:secret@bucket/folder?endpoint_url=...&region=...`.

        Without a key, boto3 uses the credentials of the machine. Raises InvalidBackupSettings.
        """
        if unknown := sorted(url.options.keys() - _OPTIONS):
            raise InvalidBackupSettings(
                f"BACKUP_URL has unknown options: {', '.join(unknown)}. Known: {', '.join(sorted(_OPTIONS))}."
            )
        if not url.authority or bool(url.user) != bool(url.password):
            raise InvalidBackupSettings(
                "BACKUP_URL must name a bucket, and both the access key and the secret or neither of them: "
                "s3://key:secret@bucket/folder."
            )
        try:
            client = boto3.client(
                "s3",
                aws_access_key_id=url.user or None,
                aws_secret_access_key=url.password or None,
                endpoint_url=url.options.get("endpoint_url") or None,
                region_name=url.options.get("region") or "us-east-1",
                config=Config(
                    connect_timeout=10, read_timeout=60, retries={"mode": "standard", "max_attempts": 3}
                ),
            )
        except (BotoCoreError, ValueError) as error:
            raise InvalidBackupSettings(f"BACKUP_URL is not valid: {error}") from None
        return cls(client, bucket=unquote(url.authority), folder=unquote(url.path).strip("/"))

    @contextlib.contextmanager
    def open_writer(self, name: str) -> Iterator[BinaryIO]:
        upload = _Upload(self.client, Bucket=self.bucket, Key=self.folder + name)
        with self._translate_errors(name):
            try:
                yield cast("BinaryIO", upload)
                upload.complete()
            except BaseException:
                upload.abort()
                raise

    @contextlib.contextmanager
    def open_reader(self, name: str) -> Iterator[BinaryIO]:
        with self._translate_errors(name):
            response = self.client.get_object(Bucket=self.bucket, Key=self.folder + name)
            with contextlib.closing(response["Body"]) as body:
                yield body

    def list_objects(self, prefix: str) -> Iterable[tuple[str, int]]:
        with self._translate_errors(prefix):
            pages = self.client.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket, Prefix=self.folder + prefix
            )
            return [
                (item["Key"].removeprefix(self.folder), item["Size"])
                for page in pages
                for item in page.get("Contents", ())
            ]

    def delete(self, name: str) -> None:
        with self._translate_errors(name):
            self.client.delete_object(Bucket=self.bucket, Key=self.folder + name)

    def delete_abandoned_uploads(self, prefix: str) -> int:
        """Abort the uploads of killed processes, because S3 charges for their parts. Return their number."""
        started_before = datetime.datetime.now(datetime.UTC) - ABANDONED_AFTER
        with self._translate_errors(prefix):
            pages = self.client.get_paginator("list_multipart_uploads").paginate(
                Bucket=self.bucket, Prefix=self.folder + prefix
            )
            abandoned = [
                (item["Key"], item["UploadId"])
                for page in pages
                for item in page.get("Uploads", ())
                if item["Initiated"] < started_before
            ]
            for key, upload_id in abandoned:
                self.client.abort_multipart_upload(Bucket=self.bucket, Key=key, UploadId=upload_id)
            return len(abandoned)

    @contextlib.contextmanager
    def _translate_errors(self, name: str) -> Iterator[None]:
        try:
            yield
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            if code in {"NoSuchKey", "404"}:
                raise StoredBackupNotFound(f"{self.place} does not contain {name}.") from error
            raise BackupStorageUnavailable(
                f"{self.place} refused the request {error.operation_name} with the error {code or 'unknown'}. Check "
                "the bucket, the access key and its permissions in BACKUP_URL. Nothing incomplete was stored."
            ) from error
        except BotoCoreError as error:
            raise BackupStorageUnavailable(
                f"{self.place} does not respond: {error}. Check BACKUP_URL and the network. Nothing incomplete was "
                "stored."
            ) from error


class _Upload(io.RawIOBase):
    """A writable file whose bytes are uploaded in parts. The object exists only after `complete()`."""

    def __init__(self, client: Any, **target: str) -> None:
        self.client = client
        self.target = target
        self.buffer = bytearray()
        self.size = 0
        self.upload_id: str | None = None
        self.parts: list[dict[str, Any]] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.buffer += data
        self.size += len(data)
        part_size = PART_SIZE << (len(self.parts) // _PARTS_PER_SIZE)
        while len(self.buffer) >= part_size:
            self._upload_part(bytes(self.buffer[:part_size]))
            del self.buffer[:part_size]
        return len(data)

    def complete(self) -> None:
        """Upload the remaining bytes, make the object visible, and check its size. Raises BackupStorageUnavailable."""
        if self.upload_id is None:
            self.client.put_object(Body=bytes(self.buffer), **self.target)
        else:
            if self.buffer:
                self._upload_part(bytes(self.buffer))
            self.client.complete_multipart_upload(
                UploadId=self.upload_id, MultipartUpload={"Parts": self.parts}, **self.target
            )
            self.upload_id = None
        stored = self.client.head_object(**self.target)["ContentLength"]
        if stored != self.size:
            self.client.delete_object(**self.target)
            raise BackupStorageUnavailable(
                f"The storage has {stored} bytes of {self.target['Key']} instead of {self.size}, so it was deleted."
            )

    def abort(self) -> None:
        """Delete the uploaded parts. Ignores errors: `delete_abandoned_uploads` deletes remaining parts later."""
        if self.upload_id is not None:
            with contextlib.suppress(BotoCoreError, ClientError, OSError):
                self.client.abort_multipart_upload(UploadId=self.upload_id, **self.target)

    def _upload_part(self, data: bytes) -> None:
        if self.upload_id is None:
            self.upload_id = self.client.create_multipart_upload(**self.target)["UploadId"]
        number = len(self.parts) + 1
        part = self.client.upload_part(UploadId=self.upload_id, PartNumber=number, Body=data, **self.target)
        self.parts.append({"ETag": part["ETag"], "PartNumber": number})
