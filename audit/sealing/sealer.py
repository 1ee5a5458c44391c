"""The sealing of one log: committed events are appended to the log, and a checkpoint (its root hash) is signed.

One database transaction writes the tiles (blocks of hashes), the checkpoint and the place up to which events are
sealed, and adds the events to the search index of the trail. An interrupted transaction leaves no trace. While one
process seals a log, a row lock prevents a second process from sealing the same log. Writers of events never wait for
the sealer, because the sealer only reads committed events, and writes to tables that the writers do not use.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction

from audit.errors import SealingRefused
from audit.indexing.terms import add_to_index
from audit.sealing import logs, rows
from audit.sealing.models import Log, StoredCheckpoint
from audit.sealing.rows import EventRow, Key
from audit.sealing.tiles import tile_reader, write_tiles
from audit.transparency.checkpoints import Checkpoint, open_checkpoint, sign_checkpoint
from audit.transparency.errors import SignatureNotFound, TransparencyError
from audit.transparency.notes import PrivateKey, open_note
from audit.transparency.proofs import root_of
from audit.transparency.tiles import append, partial_tiles
from tenants.context import Tenant, context_of, platform_context

#: The maximum number of events that one transaction seals: 64 full tiles.
BATCH_SIZE = 64 * 256
#: The line of a checkpoint with the size of the log at the previous checkpoint, so that missing checkpoints are found.
PREVIOUS = "previous {size}"
_COUNT_LIMIT = 100_000


@dataclass(frozen=True, slots=True)
class SealResult:
    """The number of events that were sealed, and whether no further event can be sealed now."""

    sealed: int
    is_complete: bool


def seal(log: Log, tenant: Tenant, keys: Sequence[PrivateKey]) -> SealResult:
    """Seal at most BATCH_SIZE events of a trail in one transaction, and sign a checkpoint with all keys.

    `tenant` is the hotel or the platform to which the log belongs. Nothing is written if there are no new events, or if
    another process is sealing the log. Raises SealingRefused if the stored hashes differ from the hashes that were
    signed before.
    """
    with platform_context(), transaction.atomic():
        locked = _lock(log)
        if locked is None or locked.closed_at is not None:
            return SealResult(0, is_complete=True)
        with context_of(tenant):
            horizon, following = rows.read_horizon()
            _check_cluster(locked, following)
            place = Key(locked.sealed_transaction, locked.sealed_id)
            found, place = rows.read_unsealed(place, horizon, BATCH_SIZE)
            is_complete = len(found) < BATCH_SIZE
            unsealed = rows.count_unsealed(place, _COUNT_LIMIT)
        if found:
            _append(locked, found, keys)
            with context_of(tenant):
                add_to_index(found)
        locked.sealed_transaction, locked.sealed_id = place
        locked.unsealed, locked.unsealed_since = unsealed
        locked.refusal = ""
        locked.save(
            update_fields=["size", "sealed_transaction", "sealed_id", "unsealed", "unsealed_since", "refusal"]
        )
    return SealResult(len(found), is_complete)


def _lock(log: Log) -> Log | None:
    """Lock the row of a log, and return its current values.

    Return None if another process has locked the row.
    """
    return Log.objects.select_for_update(skip_locked=True, no_key=True).filter(pk=log.pk).first()


def _check_cluster(log: Log, following: int) -> None:
    """Raise SealingRefused if the log was sealed with transaction numbers that this server has not reached."""
    if log.sealed_transaction > following:
        raise SealingRefused(
            f"The log was sealed up to transaction {log.sealed_transaction}, but this server has only reached "
            f"{following}: the database was copied from another server. See `manage.py audit_continue --help`."
        )


def _append(log: Log, found: Sequence[EventRow], keys: Sequence[PrivateKey]) -> None:
    """Append events to the tiles (blocks of hashes) of the log, and store a signed checkpoint of the new size."""
    read_tiles = tile_reader(log)
    check_continues(log, keys)
    partial = partial_tiles(log.size)
    changed = append(log.size, read_tiles(partial.keys()), b"".join(row.leaf for row in found))
    size = log.size + len(found)
    stored = read_tiles(partial_tiles(size).keys() - changed.keys())
    root = root_of(size, lambda _tiles: {**stored, **changed})
    checkpoint = Checkpoint(log.origin, size, root, (PREVIOUS.format(size=log.size),))
    note = sign_checkpoint(checkpoint, keys)
    write_tiles(log, changed, found)
    StoredCheckpoint.objects.create(log=log, size=size, previous_size=log.size, root=root, note=note)
    logs.store_key_ranges(log, [key.public for key in keys], first_size=size, last_size=log.size)
    log.size = size


def countersign(log: Log, keys: Sequence[PrivateKey]) -> None:
    """Add the missing signatures to the newest checkpoint of a log, so that all keys have signed the checkpoint.

    Raises SealingRefused if none of these keys has signed the checkpoint yet.
    """
    with platform_context(), transaction.atomic():
        locked = _lock(log)
        last = check_continues(locked, keys) if locked else None
        if locked is None or last is None:
            return
        text, signers = open_note(last.note, [key.public for key in keys])
        new = [key for key in keys if key.public not in signers]
        last.note += "".join(key.signature_line(text) for key in new)
        last.save(update_fields=["note"])
        logs.store_key_ranges(locked, [key.public for key in keys], first_size=last.size, last_size=last.size)


def check_continues(log: Log, keys: Sequence[PrivateKey]) -> StoredCheckpoint | None:
    """Check that the stored hashes still lead to the newest signed checkpoint.

    Return this checkpoint, or None if the log is empty.
    Raises SealingRefused if the stored hashes or the checkpoint were changed.
    """
    last = logs.last_checkpoint(log)
    if last is None:
        if log.size:
            raise SealingRefused(f"The checkpoint of the log with {log.size} events is missing.")
        return None
    if last.size != log.size:
        raise SealingRefused(
            f"The log has {log.size} events, but its newest checkpoint has {last.size}: checkpoints were deleted."
        )
    try:
        # Public keys in the database are not trusted, because someone who forges a checkpoint could store a key too.
        checkpoint, _signers = open_checkpoint(last.note, [key.public for key in keys], origin=log.origin)
        root = root_of(log.size, tile_reader(log))
    except SignatureNotFound as error:
        raise SealingRefused(
            f"{error} If you replaced the key, add the old key on another line until each log has a checkpoint with "
            "both signatures. If the old key is lost, see `manage.py audit_continue --help`."
        ) from error
    except TransparencyError as error:
        raise SealingRefused(f"The newest checkpoint or its tiles are damaged: {error}") from error
    if (checkpoint.size, checkpoint.root) != (log.size, root):
        raise SealingRefused(
            f"The stored hashes of the {log.size} events do not lead to the root that was signed last: the log was "
            "changed."
        )
    return last
