"""The publication of one checkpoint in a directory, or at a URL."""

import re
import tempfile
from collections.abc import Callable
from pathlib import Path

from django.conf import settings
from django.utils.translation import gettext_noop as _

from audit.sealing.models import Log, StoredCheckpoint
from audit.sealing.tiles import tile_reader
from audit.transparency.checkpoints import unverified_checkpoint
from audit.transparency.errors import TransparencyError
from audit.transparency.proofs import root_of
from hotelagent.core import http_client
from hotelagent.core.messages import TranslatableMessage
from hotelagent.core.public_addresses import URLNotAllowed

TIMEOUT_SECONDS = 5.0
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")


class PublishingFailed(Exception):
    """A checkpoint could not be published at a target.

    `is_target_down` is True if the checkpoints of other logs cannot be published at the target either.
    """

    def __init__(self, reason: str, *, is_target_down: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.is_target_down = is_target_down


Target = Callable[[Log, StoredCheckpoint], None]


def checkpoint_file_name(log: Log) -> str:
    """Return the name of a file with a checkpoint of this log."""
    return f"{_UNSAFE.sub('_', log.origin)}.checkpoint"


def write_file(log: Log, last: StoredCheckpoint) -> None:
    """Write the checkpoint to a file.

    Raises PublishingFailed if the file has a checkpoint that this log does not continue. The file is then not
    changed.
    """
    folder = Path(settings.AUDIT_PUBLISH_DIRECTORY)
    path = folder / checkpoint_file_name(log)
    try:
        if path.exists():
            _check_continues(log, last, path.read_text(errors="replace"))
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".checkpoint-", delete=False) as file:
            temporary = Path(file.name)
        try:
            temporary.write_text(last.note)
            temporary.chmod(0o644)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        reason = TranslatableMessage(
            _("The checkpoint file in {folder} cannot be written: {error}."),
            folder=str(folder),
            error=error.strerror or type(error).__name__,
        )
        raise PublishingFailed(reason, is_target_down=True) from error


def _check_continues(log: Log, last: StoredCheckpoint, earlier_note: str) -> None:
    try:
        earlier = unverified_checkpoint(earlier_note)
        is_continued = earlier.size <= last.size and root_of(earlier.size, tile_reader(log)) == earlier.root
    except TransparencyError as error:
        reason = TranslatableMessage(_("The published checkpoint is damaged: {error}"), error=str(error))
        if log.first_kept:
            reason = TranslatableMessage(
                _(
                    "The published checkpoint is damaged, or it was signed before {number} old events were deleted. "
                    "Move the checkpoint file to another folder."
                ),
                number=log.first_kept,
            )
        raise PublishingFailed(reason, is_target_down=False) from error
    if not is_continued:
        reason = TranslatableMessage(
            _(
                "The log does not continue the published checkpoint of {size} events: the log was cut or changed."
            ),
            size=earlier.size,
        )
        raise PublishingFailed(reason, is_target_down=False)


def post(log: Log, last: StoredCheckpoint) -> None:  # noqa: ARG001 - the note names the log
    try:
        response = http_client.send_request(
            "POST",
            settings.AUDIT_PUBLISH_URL,
            headers={"Content-Type": "text/plain; charset=utf-8"},
            body=last.note.encode(),
            timeout=TIMEOUT_SECONDS,
        )
    except (http_client.RequestFailed, URLNotAllowed) as error:
        raise PublishingFailed(error.detail, is_target_down=True) from error
    if not 200 <= response.status < 300:
        reason = TranslatableMessage(_("The URL responded with the status {status}."), status=response.status)
        raise PublishingFailed(reason, is_target_down=True)
