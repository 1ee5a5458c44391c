"""The lines of an export of failures, in CSV or JSON Lines.

The lines are produced while they are sent, so an export of any size needs only the memory for one batch. Each batch
is a separate query, because a server-side cursor would not work through a transaction pooler.
"""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from uuid import UUID

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import F, Func, QuerySet

from audit.services import record
from dlq import events
from dlq.corrections.declared_fields import MASK, mask_all_but_open, mask_secrets
from dlq.corrections.services import current_payload
from dlq.kinds.registry import find_kind
from dlq.models import Failure
from hotelagent.core.text import without_formula

#: Maximum number of failures in a batch of an export.
BATCH_SIZE = 500
#: Approximate maximum number of bytes of the stored payloads in a batch of an export.
BATCH_BYTES = 2_000_000

COLUMNS = (
    "id",
    "name",
    "source",
    "is_task",
    "status",
    "error_type",
    "error_message",
    "fingerprint",
    "ordering_key",
    "retries",
    "occurrences",
    "created_at",
    "last_seen_at",
    "next_retry_at",
    "closed_at",
    "discard_reason",
    "payload",
)


class ExportFormat(models.TextChoices):
    CSV = "csv", "CSV"
    JSON_LINES = "jsonl", "JSON Lines"


CONTENT_TYPES = {
    ExportFormat.CSV: "text/csv; charset=utf-8",
    ExportFormat.JSON_LINES: "application/jsonl; charset=utf-8",
}


def export(
    failures: QuerySet[Failure], *, export_format: ExportFormat, may_view: bool, criteria: list[str]
) -> Iterator[str]:
    """Record an export of failures in the audit trail, and return the lines of the export, newest failure
    first.

    Secret values are always masked. If `may_view` is False, all values that may be personal are also masked. `criteria`
    is stored in the audit event and must not contain personal data.
    """
    record(events.EXPORTED, format=export_format, payloads=may_view, criteria=criteria)
    return _lines(failures, export_format, may_view=may_view)


def _lines(failures: QuerySet[Failure], export_format: ExportFormat, *, may_view: bool) -> Iterator[str]:
    to_lines = _csv_lines if export_format == ExportFormat.CSV else _json_lines
    if export_format == ExportFormat.CSV:
        yield "\ufeff" + _csv_lines([dict.fromkeys(COLUMNS, "")], header=True)
    for batch in _batches(failures):
        yield to_lines(_row(failure, may_view=may_view) for failure in batch)


def _batches(failures: QuerySet[Failure]) -> Iterator[list[Failure]]:
    last: UUID | None = None
    size = Func(F("payload"), function="pg_column_size", output_field=models.IntegerField())
    while True:
        rest = failures if last is None else failures.filter(id__lt=last)
        sizes = list(rest.order_by("-id").values_list("id", size)[:BATCH_SIZE])
        if not sizes:
            return
        for ids in _chunks(sizes):
            yield list(Failure.objects.filter(id__in=ids).order_by("-id"))
        last = sizes[-1][0]


def _chunks(sizes: Iterable[tuple[UUID, int]]) -> Iterator[list[UUID]]:
    """Yield lists of failure ids. The payloads of the failures in a list have at most `BATCH_BYTES` bytes in total.

    A failure with a longer payload is in a separate list.
    """
    ids: list[UUID] = []
    total = 0
    for failure_id, size in sizes:
        if ids and total + size > BATCH_BYTES:
            yield ids
            ids, total = [], 0
        ids.append(failure_id)
        total += size
    yield ids


def _row(failure: Failure, *, may_view: bool) -> dict[str, Any]:
    hide: Callable[..., Any] = mask_secrets if may_view else mask_all_but_open
    row = {name: getattr(failure, name) for name in COLUMNS}
    row["payload"] = hide(find_kind(failure.name), current_payload(failure))
    if not may_view:
        # These texts can contain personal data: staff write the discard reason, and clients choose the ordering key.
        row |= {name: MASK for name in ("discard_reason", "ordering_key") if row[name]}
    return row


def _json_lines(rows: Iterable[dict[str, Any]]) -> str:
    return "".join(f"{json.dumps(row, cls=DjangoJSONEncoder, ensure_ascii=False)}\n" for row in rows)


def _csv_lines(rows: Iterable[dict[str, Any]], *, header: bool = False) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream)
    for row in rows:
        cells = COLUMNS if header else [_cell(row[name]) for name in COLUMNS]
        writer.writerow(cells)
    return stream.getvalue()


def _cell(value: Any) -> Any:
    match value:
        case None | int():
            return "" if value is None else value
        case dict() | list():
            return without_formula(json.dumps(value, cls=DjangoJSONEncoder, ensure_ascii=False))
        case str():
            return without_formula(value)
        case _:
            return value.isoformat() if hasattr(value, "isoformat") else without_formula(str(value))
