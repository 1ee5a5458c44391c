"""The import of reservations that an API client sent as JSON Lines.

A worker imports the reservations, because the request had too many rows to store before the response.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import BinaryIO

from django.db import transaction
from django.utils.translation import gettext_noop as _

from hotelagent.core.messages import TranslatableMessage
from reminders.errors import InvalidFile
from reminders.file_imports.kinds import FileContent, ImportField, Progress, Work
from reminders.file_imports.problems import Problem
from reminders.models import FileImport
from reminders.reservations import bulk

#: The number of rows in a transaction. If a worker stops, another worker continues after the last batch.
BATCH_SIZE = 50


class BulkFiles:
    """The implementation of the interface `Kind` for JSON Lines of API clients. A row is a line that is not empty."""

    fields: Sequence[ImportField] = ()

    def inspect(self, stream: BinaryIO, uploaded: FileImport) -> FileContent:  # noqa: ARG002 - the interface of all kinds
        rows = len(_rows(stream))
        if rows > bulk.MAX_ROWS:
            raise InvalidFile(
                TranslatableMessage(
                    _(
                        "The body has too many rows: {count:,} (limit: {limit:,}). Split it into several requests."
                    ),
                    count=rows,
                    limit=bulk.MAX_ROWS,
                )
            )
        return FileContent(format="JSON Lines", row_count=rows, columns=())

    def process(self, stream: BinaryIO, claimed: FileImport, work: Work) -> Progress:
        rows = _rows(stream)
        upsert = bulk.BulkUpsert()
        upsert.skip(rows[: claimed.finished_rows])
        counts = dict(claimed.counts)
        for start in range(claimed.finished_rows, len(rows), BATCH_SIZE):
            work.check_time()
            batch = rows[start : start + BATCH_SIZE]
            with transaction.atomic():
                results = upsert.store(batch)
                for outcome, number in bulk.count(results).items():
                    counts[outcome] = counts.get(outcome, 0) + number
                problems = list(_problems(results))
                work.save(Progress(start + len(batch), len(rows), counts, problems))
        return Progress(len(rows), len(rows), counts)


def _rows(stream: BinaryIO) -> list[tuple[int, str]]:
    return bulk.rows_of(bulk.decode(stream.read()))


def _problems(results: Iterable[bulk.RowResult]) -> Iterable[Problem]:
    """Yield a problem for each value of a rejected row that is not valid."""
    for result in results:
        if result.error is None:
            continue
        for name, messages in result.error.extra.get("errors", {"": [result.error.detail]}).items():
            yield Problem(
                result.row,
                result.external_id,
                str(messages[0]),
                column="" if name == "non_field_errors" else name,
                code=result.error.code,
            )
