"""The argument of the database function `dlq_capture`, which stores a failure."""

import base64
import hashlib
import json
from dataclasses import dataclass
from typing import Any

import structlog
from django.conf import settings

from audit.services import actor_as_json
from dlq import payloads
from dlq.error_reports import ErrorReport, hide_texts, report_exception
from dlq.kinds.namespaces import is_retryable
from dlq.kinds.registry import Kind, find_kind
from dlq.kinds.schemas import find_problems
from dlq.payloads.secret_fields import hidden_texts
from dlq.policy import MAX_AGE, SUSPENDED_MAX_AGE
from dlq.retries import schedule
from hotelagent.core.ids import uuid7
from hotelagent.core.text import storable
from tenants.context import current_actor, current_tenant
from tenants.errors import HotelSuspended

# The maximum lengths of the columns. Longer values are cut off, because PostgreSQL would reject them.
MAX_NAME_LENGTH = 150
MAX_SOURCE_LENGTH = 100
MAX_TASK_ID_LENGTH = 64
MAX_REQUEST_ID_LENGTH = 100
MAX_WORKER_LENGTH = 200
MAX_KEY_LENGTH = 100

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Origin:
    """The origin of a failure: the id of the Celery task, the name of the worker, and the duration of the work in
    seconds.
    """

    task_id: str = ""
    worker: str = ""
    seconds: float = 0.0


UNKNOWN_ORIGIN = Origin()


def capture_request(
    *,
    is_task: bool,
    source: str,
    name: str,
    payload: Any,
    error: BaseException | ErrorReport,
    retry: bool,
    work_key: str,
    ordering_key: str,
    origin: Origin,
) -> dict[str, Any]:
    """Return the argument of the database function `dlq_capture` for a failure of the current tenant.

    See `dlq.services.capture`.
    """
    report = error if isinstance(error, ErrorReport) else report_exception(error)
    name, source = _cut(name, MAX_NAME_LENGTH), _cut(source, MAX_SOURCE_LENGTH)
    kind, failure_id, tenant = find_kind(name), uuid7(), current_tenant()
    is_valid = isinstance(payload, payloads.StoredPayload) or _is_valid(kind, payload)
    stored = payloads.to_stored(payload, kind=kind, failure_id=failure_id, is_valid=is_valid)
    report = hide_texts(report, hidden_texts(payload, kind, is_valid=is_valid))
    can_retry = retry and is_valid and stored.original is None and is_retryable(kind, is_task=is_task)
    delay = schedule.retry_delay(0, delays=kind.delays) if can_retry else None
    return {
        "id": str(failure_id),
        "is_task": is_task,
        "source": source,
        "name": name,
        "work_key": _key(work_key) or _work_key(source, name, stored),
        "ordering_key": _key(ordering_key or ordering_key_of(kind, payload)),
        "payload": stored.readable,
        "original": _base64(stored.original),
        "original_type": stored.original_type,
        "secrets": _base64(stored.secrets),
        "task_id": _cut(origin.task_id, MAX_TASK_ID_LENGTH),
        "request_id": _cut(current_actor().request_id or "", MAX_REQUEST_ID_LENGTH),
        "error": report.as_json(name=name),
        "attempt": {
            "worker": _cut(origin.worker, MAX_WORKER_LENGTH),
            "code_version": settings.CODE_VERSION,
            "seconds": origin.seconds,
        },
        "delay": delay and delay.total_seconds(),
        "max_age": (SUSPENDED_MAX_AGE if isinstance(error, HotelSuspended) else MAX_AGE).total_seconds(),
        "hotel": tenant.id and str(tenant.id),
        "actor": actor_as_json(),
    }


def _is_valid(kind: Kind, payload: Any) -> bool:
    problems = find_problems(kind, payload)
    if problems:
        log.warning("failure.payload_invalid", name=kind.name, problems=list(map(str, problems)))
    return not problems


def ordering_key_of(kind: Kind, payload: Any) -> str:
    """Return the ordering key, which identifies what the failure is about, such as a booking.

    Failures with the same ordering key are retried in order. Return "" if the kind of failure declares no ordering key,
    or if the declared function raises an exception for the payload.
    """
    if kind.ordering_key is None:
        return ""
    try:
        return _key(str(kind.ordering_key(payload)))
    except Exception as error:  # noqa: BLE001 - the payload may have any form
        log.warning("failure.ordering_key_missing", name=kind.name, error=type(error).__name__)
        return ""


def _work_key(source: str, name: str, payload: payloads.StoredPayload) -> str:
    """Return a digest of the source, name and payload of a failure, including the secret values.

    Failures with equal digests are failures of the same work.
    """
    # Each encryption of the same bytes gives a different result, so the encrypted bytes cannot be part of the digest.
    # For an encrypted payload, a keyed digest of the unencrypted bytes is used instead of the encrypted bytes.
    is_encrypted = payload.original_type == payloads.ENCRYPTED_TYPE
    content = (not is_encrypted and payload.original) or json.dumps(payload.readable, sort_keys=True).encode()
    parts = (source.encode(), name.encode(), content, payload.secrets_digest)
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def _key(key: str) -> str:
    """Return the work key or ordering key in the form in which it is stored.

    A key that is too long is replaced by its digest, so that two long keys with the same beginning stay different.
    """
    key = storable(key)
    return key if len(key) <= MAX_KEY_LENGTH else hashlib.sha256(key.encode()).hexdigest()


def _cut(text: str, length: int) -> str:
    return storable(text[:length])


def _base64(content: bytes | None) -> str | None:
    return None if content is None else base64.b64encode(content).decode()
