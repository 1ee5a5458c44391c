"""Stored responses to POST requests with an `Idempotency-Key`.

A stored response is looked up by client, URL and Idempotency-Key. The response is encrypted with a key that is derived
from the Idempotency-Key. The Idempotency-Key is not stored, so only the client can read the secrets in the response.
"""

import hashlib
import json
import secrets
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.db import connection
from django.utils.encoding import force_bytes
from rest_framework.utils.encoders import JSONEncoder

from hotelagent.core.encryption import decrypt, encrypt
from tenants.models import IdempotencyKey

#: Stored responses are kept for one day.
#: HTTP client libraries repeat a request within seconds, and the job queues of API clients within hours.
RETENTION_HOURS = 24
#: On average, one of DELETE_EVERY requests deletes expired responses. A daily task deletes the remaining responses.
DELETE_EVERY = 64
DELETE_LIMIT = 1000


@dataclass(frozen=True, slots=True)
class IdempotentRequest:
    """A request with an Idempotency-Key. `id` is a digest of the client, URL and key."""

    id: uuid.UUID
    body_digest: bytes
    encryption_key: bytes

    @classmethod
    def build(cls, *, key: str, client: str, url: str, body: Any) -> "IdempotentRequest":
        identity = _hash("id", client, url, key)
        # Sort the members of the JSON body, so that bodies with the same members in a different order are equal.
        canonical_body = json.dumps(body, sort_keys=True, separators=(",", ":"), default=str)
        hkdf = HKDF(
            algorithm=SHA256(),
            length=32,
            salt=force_bytes(settings.SECRET_KEY),
            info=b"idempotency" + identity,
        )
        return cls(
            id=uuid.UUID(bytes=identity[:16]),
            body_digest=_hash("body", canonical_body),
            encryption_key=hkdf.derive(key.encode()),
        )


@dataclass(frozen=True, slots=True)
class StoredResponse:
    status: int
    data: Any
    content_type: str | None
    headers: Mapping[str, str]


class IdempotencyKeyReused(Exception):
    """The Idempotency-Key was used before for a request with a different body."""


def try_lock(request: IdempotentRequest) -> bool:
    """Lock the id of the request until the end of the transaction.

    Return False if another transaction holds the lock. That transaction executes a request with the same id.
    """
    number = int.from_bytes(request.id.bytes[:8], signed=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [number])
        return bool(cursor.fetchone()[0])


def find(request: IdempotentRequest) -> StoredResponse | None:
    """Return the stored response to the request, or None.

    Raises IdempotencyKeyReused if the response was stored for a request with a different body.
    """
    row = IdempotencyKey.objects.filter(id=request.id).first()
    if row is None:
        return None
    if bytes(row.body_digest) != request.body_digest:
        raise IdempotencyKeyReused
    plaintext = decrypt(bytes(row.response), key=request.encryption_key, associated_data=request.id.bytes)
    return StoredResponse(**json.loads(plaintext))


def store(request: IdempotentRequest, response: StoredResponse) -> None:
    """Store the response in the caller's transaction. The same transaction must contain the changes of the request."""
    # dataclasses.asdict() would deep-copy the response data, which fails for REST framework's ReturnDict.
    values = {field.name: getattr(response, field.name) for field in fields(response)}
    IdempotencyKey.objects.create(
        id=request.id,
        body_digest=request.body_digest,
        status_code=response.status,
        response=encrypt(
            json.dumps(values, cls=JSONEncoder).encode(),
            key=request.encryption_key,
            associated_data=request.id.bytes,
        ),
    )
    if secrets.randbelow(DELETE_EVERY) == 0:
        delete_expired()


def delete_expired() -> int:
    """Delete at most DELETE_LIMIT stored responses older than RETENTION_HOURS. Return the number of deleted rows."""
    with connection.cursor() as cursor:
        # SKIP LOCKED lets concurrent deletions delete different rows instead of waiting for each other.
        cursor.execute(
            """
            DELETE FROM tenants_idempotencykey WHERE id IN (
                SELECT id FROM tenants_idempotencykey
                WHERE created_at < now() - make_interval(hours => %s)
                ORDER BY created_at LIMIT %s FOR UPDATE SKIP LOCKED)
            """,
            [RETENTION_HOURS, DELETE_LIMIT],
        )
        return int(cursor.rowcount)


def _hash(*parts: str) -> bytes:
    digest = hashlib.sha256()
    for part in parts:
        encoded = part.encode()
        # Hash the length of each part too. Otherwise ("ab", "c") and ("a", "bc") would have the same digest.
        digest.update(len(encoded).to_bytes(8) + encoded)
    return digest.digest()
