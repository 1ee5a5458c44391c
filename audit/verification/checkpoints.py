"""The comparison of the signed checkpoints of a log with the Merkle tree that is computed from the events."""

from collections.abc import Sequence

from audit.sealing.models import Log, LogKey, StoredCheckpoint
from audit.sealing.sealer import PREVIOUS
from audit.transparency.checkpoints import Checkpoint, open_checkpoint
from audit.transparency.errors import TransparencyError
from audit.transparency.notes import PublicKey
from audit.verification.results import InvalidTrail, UndeterminedTrail
from tenants.context import platform_context


class SignedRoots:
    """The signed checkpoints of a log, and the checkpoint that an earlier verification remembered.

    `sizes` is the sorted list of the sizes of these checkpoints. One of the public keys `keys` must have signed the
    newest checkpoint. Older keys of the log may have signed earlier checkpoints. This is safe, because the newest
    checkpoint covers all events.
    """

    def __init__(self, log: Log, keys: Sequence[PublicKey], remembered: str | None) -> None:
        self.log, self.keys = log, keys
        with platform_context():
            self.stored = list(
                StoredCheckpoint.objects.filter(
                    log=log, size__gte=log.first_kept, size__lte=log.size
                ).order_by("size")
            )
            self.ranges = [
                (PublicKey.parse(row.key), row.first_size, row.last_size)
                for row in LogKey.objects.filter(log=log)
            ]
        self.remembered = self._open_remembered(remembered) if remembered else None
        self._by_size = {checkpoint.size: checkpoint for checkpoint in self.stored}
        self._check_chain()
        self.sizes = sorted({*self._by_size, *([self.remembered.size] if self.remembered else [])} - {0})

    def check(self, size: int, root: bytes) -> None:
        """Check that the checkpoints of this tree size have the computed root hash. Raises InvalidTrail."""
        if self.remembered and self.remembered.size == size and self.remembered.root != root:
            raise InvalidTrail(
                None,
                f"The first {size} events are not those of the remembered checkpoint: the history was changed, or cut "
                "and sealed again.",
            )
        stored = self._by_size.get(size)
        if stored is None:
            return
        checkpoint = self._open(stored)
        if (checkpoint.size, checkpoint.root) != (size, root):
            raise InvalidTrail(
                size,
                f"The first {size} events do not lead to the root of the signed checkpoint: hashes were changed.",
            )

    def _open(self, stored: StoredCheckpoint) -> Checkpoint:
        size = stored.size
        keys = list(self.keys)
        if size != self.log.size:
            keys += [
                key for key, first, last in self.ranges if first <= size and (last is None or size <= last)
            ]
        try:
            checkpoint, _signers = open_checkpoint(stored.note, keys, origin=self.log.origin)
        except TransparencyError as error:
            raise InvalidTrail(size, f"The checkpoint of {size} events is not valid: {error}") from error
        if checkpoint.extensions != (PREVIOUS.format(size=stored.previous_size),):
            raise InvalidTrail(size, f"The checkpoint of {size} events was changed.")
        return checkpoint

    def _check_chain(self) -> None:
        """Raise InvalidTrail if a checkpoint of the log was deleted."""
        log = self.log
        newest = self.stored[-1].size if self.stored else 0
        if newest != log.size:
            raise InvalidTrail(
                newest,
                f"The newest checkpoint has {newest} events, but the log has {log.size}: checkpoints were deleted.",
            )
        if self.remembered and self.remembered.size > log.size:
            raise InvalidTrail(
                log.size,
                f"The log has {log.size} events, but had {self.remembered.size} when its checkpoint was remembered: "
                "the history was cut.",
            )
        previous = None
        for stored in self.stored:
            expected = stored.previous_size if previous is None else previous.size
            if stored.previous_size != expected or (previous is None and expected > log.first_kept):
                raise InvalidTrail(
                    stored.previous_size,
                    f"The checkpoint of {stored.previous_size} events is missing: checkpoints before the one of "
                    f"{stored.size} events were deleted.",
                )
            previous = stored

    def _open_remembered(self, note: str) -> Checkpoint:
        keys = [*self.keys, *(key for key, _first, _last in self.ranges)]
        try:
            checkpoint, _signers = open_checkpoint(note, keys, origin=self.log.origin)
        except TransparencyError as error:
            raise UndeterminedTrail(f"The remembered checkpoint cannot be used: {error}") from error
        if checkpoint.size < self.log.first_kept:
            raise UndeterminedTrail(
                f"The remembered checkpoint of {checkpoint.size} events cannot be compared, because retention has "
                f"deleted the first {self.log.first_kept} events and their hashes. Use another file for --remember, "
                "and keep this file."
            )
        return checkpoint
