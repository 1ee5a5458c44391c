"""The reports of other systems about messages that they could not process."""

import hashlib
import json
import uuid
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction
from django.utils.translation import gettext as _

from dlq import services
from dlq.error_reports import ErrorReport
from dlq.errors import EventConflict
from dlq.kinds.namespaces import external_name, namespace
from dlq.models import Attempt, Failure

#: The maximum length of an ordering key that a client chooses.
MAX_ORDERING_KEY_LENGTH = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A message that another system could not process, and its error.

    `event` is the `source` and the `id` of a CloudEvent, or None for a message in the plain form.
    """

    kind: str
    payload: dict[str, Any]
    error: ErrorReport
    retry: bool
    ordering_key: str = ""
    event: tuple[str, str] | None = None


def store_report(report: Report, *, client: str) -> tuple[uuid.UUID, bool]:
    """Store the failure of a message that the API client with this name reports.

    Return the id of the failure, and whether the failure is new.

    An event that was reported before is not stored again, even if its failure has been closed. Raises EventConflict if
    the earlier event had other content.
    """
    if report.event is None:
        captured = _capture(report, client=client)
        return captured.id, captured.is_new
    attempt_id = _attempt_id(client, *report.event)
    work_key = _digest(client, report.kind, json.dumps(report.payload, sort_keys=True)).hex()
    with transaction.atomic():
        # The lock makes a second report of the same event wait until the first report has been stored.
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_advisory_xact_lock(%s)", [int.from_bytes(attempt_id.bytes[:8], signed=True)]
            )
        stored = Failure.objects.filter(attempts__id=attempt_id).only("work_key").first()
        if stored is not None:
            if stored.work_key != work_key:
                raise EventConflict(
                    _(
                        "The event {id} of {source} was reported before with other content. "
                        "Report a different event with another id."
                    ).format(id=report.event[1], source=report.event[0]),
                    failure=str(stored.id),
                )
            return stored.id, False
        captured = _capture(report, client=client, work_key=work_key)
        Attempt.objects.filter(failure_id=captured.id, number=0).update(id=attempt_id)
    return captured.id, True


def _capture(report: Report, *, client: str, work_key: str = "") -> services.CapturedFailure:
    return services.capture(
        is_task=False,
        source=client,
        name=external_name(client, report.kind),
        payload=report.payload,
        error=report.error,
        retry=report.retry,
        work_key=work_key,
        # The namespace of the client is a prefix of the ordering key. So the retries of
        # this application never wait for a failure that a client reported.
        ordering_key=f"{namespace(client)}{report.ordering_key}" if report.ordering_key else "",
    )


def _attempt_id(client: str, source: str, event_id: str) -> uuid.UUID:
    """Return the id of the attempt that stores this event's original failure (attempt 0).

    The id is derived from the event, so the primary key of attempts ensures that each event is stored only once, even
    after its failure was closed. The id of the failure cannot be derived from the event, because ids of failures begin
    with the time of creation.
    """
    return uuid.UUID(bytes=_digest(client, source, event_id)[:16])


def _digest(*parts: str) -> bytes:
    return hashlib.sha256(json.dumps(parts).encode()).digest()
