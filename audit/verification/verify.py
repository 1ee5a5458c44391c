"""The verification of one tenant's audit trail: its events, its transparency log and its protection in the database."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.db import DatabaseError

from audit.errors import SigningKeyError
from audit.models import Event
from audit.reading.search import events_of_type
from audit.sealing import keys, logs, rows
from audit.sealing.events import EVENTS_DELETED
from audit.sealing.models import Log
from audit.sealing.positions import first_position_at
from audit.sealing.rows import Key
from audit.sealing.tiles import ids_of, leaf_tiles, tile_reader
from audit.selectors import CLOCK_TOLERANCE
from audit.transparency.errors import TransparencyError
from audit.transparency.notes import PublicKey
from audit.transparency.proofs import root_of
from audit.transparency.tiles import TILE_WIDTH
from audit.verification.checkpoints import SignedRoots
from audit.verification.protection import check_protection
from audit.verification.results import InvalidTrail, Status, TrailReport, UndeterminedTrail
from audit.verification.rows import check_rows
from audit.verification.trail import Progress, verify_events
from hotelagent.core.ids import first_uuid7_at
from tenants.context import Tenant, context_of, platform_context
from tenants.database.clock import database_now

_UNSEALED_LIMIT = 1_000_000


@dataclass(frozen=True, slots=True)
class Options:
    """The options of a verification.

    since: only the stored hashes of events before this time are verified, not the events.
    rows: the rows of tracked tables are compared with their recorded changes.
    remembered: a dict that maps the name of each log to a signed checkpoint that an earlier verification stored.
    """

    since: datetime | None = None
    rows: bool = False
    remembered: Mapping[str, str] = field(default_factory=dict)
    progress: Progress = lambda _events: None


def verify_trail(tenant: Tenant, options: Options | None = None) -> TrailReport:
    """Verify one trail, and store the result in its log."""
    report = TrailReport(trail=tenant.slug or "platform")
    log = None
    try:
        public_keys = [key.public for key in keys.load_signing_keys()]
        with context_of(tenant):
            check_protection()
        while True:
            log = logs.find_log(tenant.id)
            try:
                _verify(log, tenant, report, public_keys, options or Options())
                break
            except InvalidTrail:
                # If retention has deleted events while they were verified, the trail is verified again.
                current = logs.find_log(tenant.id)
                if log is None or current is None or current.first_kept == log.first_kept:
                    raise
                report.notes.clear()
    except InvalidTrail as error:
        report.status, report.position, report.reason = Status.INVALID, error.position, error.reason
    except (UndeterminedTrail, SigningKeyError) as error:
        report.status, report.reason = Status.UNDETERMINED, str(error)
    except DatabaseError as error:
        report.status, report.reason = Status.UNDETERMINED, f"The database refused a query: {error}".strip()
    if log is not None:
        _store(log, report)
    return report


def _verify(
    log: Log | None, tenant: Tenant, report: TrailReport, public_keys: Sequence[PublicKey], options: Options
) -> None:
    if log is None:
        raise UndeterminedTrail("No event is sealed yet. Celery beat seals the trails each minute.")
    report.origin = log.origin
    if log.refusal:
        raise InvalidTrail(log.size, f"The log is not sealed any more. {log.refusal}")
    roots = SignedRoots(log, public_keys, options.remembered.get(log.origin))
    # The verification begins at the first event of a tile (a block of 256 events).
    start = first_position_at(log, tenant, options.since) // TILE_WIDTH * TILE_WIDTH if options.since else 0
    with context_of(tenant):
        report.unsealed, _oldest = rows.count_unsealed(
            Key(log.sealed_transaction, log.sealed_id), _UNSEALED_LIMIT
        )
    verify_events(log, tenant, roots, start=start, progress=options.progress)
    report.events = log.size - max(start, log.first_kept)
    if roots.stored:
        report.note = roots.stored[-1].note
    if log.first_kept:
        report.deleted = log.first_kept
        report.notes.append(f"{log.first_kept} older events were deleted by retention.")
    if start:
        report.notes.append(f"The events before position {start} were not read.")
    if options.rows:
        with context_of(tenant):
            report.notes.append(check_rows())
    if log.predecessor is not None:
        report.notes.append(_compare_with_predecessor(log, log.predecessor, tenant))


def _compare_with_predecessor(log: Log, predecessor: Log, tenant: Tenant) -> str:
    """Compare a restored hotel with its earlier log. Return a sentence about events that the restored hotel lacks.

    Raises InvalidTrail if the earlier log was changed after the restore.
    """
    size = log.predecessor_size or 0
    try:
        root = root_of(size, tile_reader(predecessor))
    except TransparencyError as error:
        if predecessor.first_kept >= size:
            return f"Retention has deleted the events that this log shares with the earlier log {predecessor.origin}."
        raise UndeterminedTrail(f"The earlier log {predecessor.origin} is damaged: {error}") from error
    if root != bytes(log.predecessor_root or b""):
        raise InvalidTrail(None, f"The earlier log {predecessor.origin} was changed after the restore.")
    missing, first = 0, None
    deleted_before = _end_of_deleted_events(tenant)
    for tile in leaf_tiles(predecessor):
        ids = ids_of(tile)[: max(size - tile.number * TILE_WIDTH, 0)]
        with context_of(tenant):
            present = set(Event.objects.filter(id__in=ids).values_list("id", flat=True))
        for index, event_id in enumerate(ids):
            position = tile.number * TILE_WIDTH + index
            if (
                event_id not in present
                and position >= predecessor.first_kept
                and (deleted_before is None or event_id >= deleted_before)
            ):
                missing += 1
                first = position if first is None else first
    name = f"the earlier log {predecessor.origin} with {size} events"
    if not missing:
        return f"This log continues {name}. All of its events are present."
    return f"This log continues {name}. {missing} of them are missing, the first at position {first}."


def _end_of_deleted_events(tenant: Tenant) -> UUID | None:
    """Return the id before which retention may have deleted events of the trail, or None if it deleted no events."""
    with context_of(tenant):
        newest = events_of_type(EVENTS_DELETED).first()
    if newest is None:
        return None
    return first_uuid7_at(datetime.fromisoformat(newest.data["before"]) + CLOCK_TOLERANCE)


def _store(log: Log, report: TrailReport) -> None:
    with platform_context():
        Log.objects.filter(pk=log.pk).update(
            verified_at=database_now(), verification=report.status.value, verification_detail=str(report)
        )
