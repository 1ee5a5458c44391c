"""The status of the publication of checkpoints, for the admin page and for the system check."""

import datetime
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from audit.publishing import states
from audit.publishing.models import Auditor
from audit.sealing import logs
from audit.sealing.models import Log, StoredCheckpoint
from hotelagent.core.messages import message_from_json
from tenants.context import current_tenant, platform_context
from tenants.models import Hotel

#: The labels of the targets of a publication, in the order in which the admin pages list them.
TARGETS = {states.DIRECTORY: _("directory"), states.URL: _("URL"), states.EMAIL: _("e-mail")}


@dataclass(frozen=True, slots=True)
class TargetStatus:
    """The status of publishing one log at one target. `error` is empty if the newest attempt succeeded."""

    target: str
    is_used: bool
    size: int | None
    at: datetime.datetime | None
    error: str
    since: datetime.datetime | None

    @property
    def label(self) -> str:
        return str(TARGETS[self.target])


@dataclass(frozen=True, slots=True)
class FailedTarget:
    """A target at which the newest checkpoint of a log could not be published. `name` is the name of the trail."""

    name: str
    log: Log
    status: TargetStatus


def own_trail() -> tuple[Log, StoredCheckpoint] | None:
    """Return the log of the current tenant with its newest checkpoint, or None if no event was sealed yet."""
    return logs.find_sealed_log(current_tenant().id)


def target_statuses(log: Log | None, auditor: Auditor) -> list[TargetStatus]:
    """Return the status of each target for the log of the current tenant."""
    is_used = {
        states.DIRECTORY: bool(settings.AUDIT_PUBLISH_DIRECTORY),
        states.URL: bool(settings.AUDIT_PUBLISH_URL),
        states.EMAIL: bool(auditor.email),
    }
    stored = log.published if log else {}
    return [_status(target, stored.get(target, {}), is_used=is_used[target]) for target in TARGETS]


def find_failures(limit: int) -> list[FailedTarget]:
    """Return at most `limit` failures of all trails, in the order of the names of their logs."""
    has_failed = Q()
    for target in TARGETS:
        has_failed |= Q(**{f"published__{target}__has_key": "error"})
    with platform_context():
        failed = list(Log.objects.filter(has_failed, closed_at=None).order_by("origin")[:limit])
        names = dict(Hotel.objects.filter(id__in=[log.hotel_id for log in failed]).values_list("id", "name"))
    return list(_failed_targets(failed, names))[:limit]


def _failed_targets(failed: list[Log], names: dict[Any, str]) -> Iterator[FailedTarget]:
    for log in failed:
        for target in TARGETS:
            status = _status(target, log.published.get(target, {}), is_used=True)
            if status.error:
                yield FailedTarget(names.get(log.hotel_id, settings.PLATFORM_HOST), log, status)


def _status(target: str, state: dict[str, Any], *, is_used: bool) -> TargetStatus:
    return TargetStatus(
        target=target,
        is_used=is_used,
        size=state.get("size"),
        at=_time(state.get("at")),
        error=message_from_json(state.get("error")),
        since=_time(state.get("since")),
    )


def _time(text: str | None) -> datetime.datetime | None:
    return datetime.datetime.fromisoformat(text) if text else None
