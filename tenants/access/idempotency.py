"""Stored answers to POSTs: found by client, address and key; readable only to who knows the key."""

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

#: How long an answer is kept: clients repeat within seconds, people and queues within a day.
KEPT_HOURS = 24
#: One stored answer in so many sweeps what is too old away: the work goes with the use, and needs no schedule.
SWEEP_EVERY = 64
SWEEP_ROWS = 1000


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request with a key: which stored answer is its own, and what it asks."""

    id: uuid.UUID
    digest: bytes
    secret: bytes

    @classmethod
    def of(cls, *, key: str, client: str, address: str, body: Any) -> "Attempt":
        identity = _hash("id", client, address, key)
        # Sorted: the same request with its members in another order is the same request.
        canonical = json.dumps(body, sort_keys=True, separators=(",", ":"), default=str)
        derive = HKDF(
            algorithm=SHA256(),
            length=32,
            salt=force_bytes(settings.SECRET_KEY),
            info=b"idempotency" + identity,
        )
        return cls(
            id=uuid.UUID(bytes=identity[:16]),
            digest=_hash("body", canonical),
            secret=derive.derive(key.encode()),
        )


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    data: Any
    content_type: str | None
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Stored:
    same_request: bool
    answer: Answer


def lock(attempt: Attempt) -> bool:
    """Whether this attempt is the only one now; held until the transaction ends, so it must run inside one."""
    number = int.from_bytes(attempt.id.bytes[:8], signed=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [number])
        return bool(cursor.fetchone()[0])


def find(attempt: Attempt) -> Stored | None:
    row = IdempotencyKey.objects.filter(id=attempt.id).first()
    if row is None:
        return None
    if bytes(row.request_digest) != attempt.digest:
        return Stored(same_request=False, answer=Answer(row.status_code, None, None, {}))
    return Stored(same_request=True, answer=_decrypt(attempt, bytes(row.answer)))


def store(attempt: Attempt, answer: Answer) -> None:
    """Keep the answer, in the caller's transaction: that of the effect."""
    IdempotencyKey.objects.create(
        id=attempt.id,
        request_digest=attempt.digest,
        status_code=answer.status,
        answer=_encrypt(attempt, answer),
    )
    if secrets.randbelow(SWEEP_EVERY) == 0:
        sweep()


def sweep() -> int:
    """Delete answers past their time, at most `SWEEP_ROWS`; returns how many."""
    with connection.cursor() as cursor:
        # SKIP LOCKED: two sweeps share the work instead of waiting for each other.
        cursor.execute(
            """
            DELETE FROM tenants_idempotencykey WHERE id IN (
                SELECT id FROM tenants_idempotencykey
                WHERE created_at < now() - make_interval(hours => %s)
                ORDER BY created_at LIMIT %s FOR UPDATE SKIP LOCKED)
            """,
            [KEPT_HOURS, SWEEP_ROWS],
        )
        return int(cursor.rowcount)


def _hash(*parts: str) -> bytes:
    digest = hashlib.sha256()
    for part in parts:
        encoded = part.encode()
        digest.update(len(encoded).to_bytes(8) + encoded)  # lengths: no two lists of parts run together
    return digest.digest()


def _encrypt(attempt: Attempt, answer: Answer) -> bytes:
    # Not asdict(): it copies what it finds, and REST framework's own kind of dict can't be copied that way.
    plain = json.dumps(
        {field.name: getattr(answer, field.name) for field in fields(answer)}, cls=JSONEncoder
    ).encode()
    return encrypt(plain, key=attempt.secret, associated_data=attempt.id.bytes)


def _decrypt(attempt: Attempt, stored: bytes) -> Answer:
    return Answer(**json.loads(decrypt(stored, key=attempt.secret, associated_data=attempt.id.bytes)))
