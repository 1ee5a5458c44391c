"""Exports of a trail with proofs, as JSON Lines or CSV.

`deploy/verify_trail.py` verifies an export as JSON Lines without this project. In an export as CSV, each row has the
inclusion proof of its event, which any program for RFC 9162 can verify with the checkpoint.
"""

import base64
import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from audit.errors import NothingSealed
from audit.sealing import logs
from audit.sealing.events import EXPORTED
from audit.sealing.models import Log
from audit.sealing.positions import end_position_at, first_position_at, read_positions
from audit.sealing.tiles import caching_tile_reader, tile_reader
from audit.services import record
from audit.transparency.export_format import ExportedEvent, export_lines
from audit.transparency.proofs import prove_inclusion
from hotelagent.core.text import without_formula
from tenants.context import Tenant, context_of, platform_context


class ExportFormat(StrEnum):
    JSONL = "jsonl"
    CSV = "csv"


@dataclass(frozen=True, slots=True)
class TrailExport:
    """An export of the events at the log positions from `start` to `end - 1`.

    `note` is the signed checkpoint with which a verifier can prove the events.
    """

    log: Log
    tenant: Tenant
    note: str
    start: int
    end: int

    def jsonl(self) -> Iterator[str]:
        """Yield the lines of the export in the format of `audit.transparency.export_format`."""
        return export_lines(
            note=self.note,
            start=self.start,
            end=self.end,
            events=self._events(),
            read_tiles=tile_reader(self.log),
        )

    def csv(self) -> Iterator[str]:
        """Yield the lines of the export as CSV, with the signed checkpoint in the header of the last column."""
        yield _csv_line(
            ["position", "time", "event", "actor", "subject", "entry", "personal", "proof", self.note]
        )
        read_tiles = caching_tile_reader(self.log)
        for event in self._events():
            members = json.loads(event.entry)
            proof = prove_inclusion(event.position, self.log.size, read_tiles)
            yield _csv_line(
                [
                    str(event.position),
                    members["at"],
                    members["event"],
                    " ".join(members["actor"]),
                    " ".join(members["subject"]),
                    event.entry.decode(),
                    json.dumps(event.personal, ensure_ascii=False),
                    " ".join(base64.b64encode(part).decode() for part in proof),
                    "",
                ]
            )

    def _events(self) -> Iterator[ExportedEvent]:
        for position, _id, row in read_positions(self.log, self.tenant, self.start, self.end):
            if row is not None:
                yield ExportedEvent(position, row.entry, row.personal or {})


def export_trail(
    tenant: Tenant,
    *,
    export_format: ExportFormat,
    since: datetime | None = None,
    until: datetime | None = None,
) -> TrailExport:
    """Return an export of the sealed events of a trail, and record the export in the trail.

    The export begins with the first event at `since` or later, and ends with the last event before `until`. An export
    is a part of the log without gaps, so it may have a few events outside these times. Raises NothingSealed.
    """
    sealed = logs.find_sealed_log(tenant.id)
    if sealed is None:
        raise NothingSealed(
            "No event of this trail is sealed yet. Events are sealed each minute if a key is configured."
        )
    log, last = sealed
    start = max(first_position_at(log, tenant, since) if since else 0, log.first_kept)
    end = end_position_at(log, tenant, until) if until else log.size
    export = TrailExport(log, tenant, last.note, start, max(start, end))
    with context_of(tenant):
        record(EXPORTED, first=export.start, events=export.end - export.start, format=export_format.value)
    return export


def is_shortened(export: TrailExport) -> bool:
    """Return whether retention has deleted events of the export since the export began."""
    with platform_context():
        return Log.objects.filter(pk=export.log.pk, first_kept__gt=export.start).exists()


def _csv_line(cells: list[str]) -> str:
    stream = io.StringIO()
    csv.writer(stream).writerow([without_formula(cell) for cell in cells])
    return stream.getvalue()
