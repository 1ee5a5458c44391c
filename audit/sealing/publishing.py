"""The publication of checkpoints outside the database: in a directory, and at a URL.

A target that fails delays neither sealing nor the other target. The failure is stored with the log and counted in the
metrics, and the newest checkpoint is published again in the next run.
"""

import re
import tempfile
from collections.abc import Callable
from pathlib import Path

import structlog
from django.conf import settings
from django.db.models import OuterRef, Subquery

from audit.sealing import logs
from audit.sealing.models import Log, StoredCheckpoint
from audit.sealing.tiles import tile_reader
from audit.transparency.checkpoints import unverified_checkpoint
from audit.transparency.errors import TransparencyError
from audit.transparency.proofs import root_of
from hotelagent.core import http_client
from hotelagent.core.public_addresses import URLNotAllowed
from tenants.context import platform_context
from tenants.database.clock import database_now

log = structlog.get_logger(__name__)

TIMEOUT_SECONDS = 5.0
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")


class PublishingFailed(Exception):
    """A checkpoint could not be published at a target.

    `is_target_down` is True if the checkpoints of other logs cannot be published at the target either.
    """

    def __init__(self, reason: str, *, is_target_down: bool) -> None:
        super().__init__(reason)
        self.is_target_down = is_target_down


Target = Callable[[Log, StoredCheckpoint], None]


def publish_all() -> int:
    """Publish the newest signed checkpoint of each log in the configured directory and at the configured URL.

    Return the number of published checkpoints.
    """
    targets: dict[str, Target] = {}
    if settings.AUDIT_PUBLISH_DIRECTORY:
        targets["directory"] = _write_file
    if settings.AUDIT_PUBLISH_URL:
        targets["url"] = _post
    return sum(_publish(name, target) for name, target in targets.items())


def _publish(name: str, target: Target) -> int:
    published = 0
    problem: PublishingFailed | None = None
    for log_ in _unpublished(name):
        last = logs.last_checkpoint(log_)
        if last is None:
            continue
        state = log_.published.get(name, {})
        try:
            if problem is not None and problem.is_target_down:
                raise problem
            target(log_, last)
        except PublishingFailed as error:
            problem = error
            log.warning("audit.checkpoint_not_published", target=name, log=log_.origin, reason=str(error))
            with platform_context():
                since = state.get("since") or database_now().isoformat()
            new = {**state, "error": str(error), "since": since}
        else:
            published += 1
            new = {"size": last.size}
        with platform_context():
            Log.objects.filter(pk=log_.pk).update(published={**log_.published, name: new})
    return published


def _unpublished(name: str) -> list[Log]:
    """Return the open logs whose newest checkpoint is not published at the target with this name."""
    newest = StoredCheckpoint.objects.filter(log=OuterRef("pk")).order_by("-size").values("size")[:1]
    with platform_context():
        open_logs = list(Log.objects.filter(closed_at=None).annotate(newest=Subquery(newest)))
    return [log_ for log_ in open_logs if log_.newest and log_.published.get(name) != {"size": log_.newest}]


def _write_file(log_: Log, last: StoredCheckpoint) -> None:
    """Write the checkpoint to a file.

    Raises PublishingFailed if the file has a checkpoint that this log does not continue. The file is then not
    changed.
    """
    folder = Path(settings.AUDIT_PUBLISH_DIRECTORY)
    path = folder / f"{_UNSAFE.sub('_', log_.origin)}.checkpoint"
    try:
        if path.exists():
            _check_continues(log_, last, path.read_text(errors="replace"))
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".checkpoint-", delete=False) as file:
            temporary = Path(file.name)
        try:
            temporary.write_text(last.note)
            temporary.chmod(0o644)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise PublishingFailed(f"{folder}: {error.strerror}.", is_target_down=True) from error


def _check_continues(log_: Log, last: StoredCheckpoint, earlier_note: str) -> None:
    try:
        earlier = unverified_checkpoint(earlier_note)
        is_continued = earlier.size <= last.size and root_of(earlier.size, tile_reader(log_)) == earlier.root
    except TransparencyError as error:
        raise PublishingFailed(
            f"The published checkpoint is damaged: {error}", is_target_down=False
        ) from error
    if not is_continued:
        raise PublishingFailed(
            f"The log does not continue the published checkpoint of {earlier.size} events: it was cut or changed.",
            is_target_down=False,
        )


def _post(log_: Log, last: StoredCheckpoint) -> None:  # noqa: ARG001 - the note names the log
    try:
        response = http_client.send_request(
            "POST",
            settings.AUDIT_PUBLISH_URL,
            headers={"Content-Type": "text/plain; charset=utf-8"},
            body=last.note.encode(),
            timeout=TIMEOUT_SECONDS,
        )
    except (http_client.RequestFailed, URLNotAllowed) as error:
        raise PublishingFailed(str(error), is_target_down=True) from error
    if not 200 <= response.status < 300:
        raise PublishingFailed(f"The URL responded with the status {response.status}.", is_target_down=True)
