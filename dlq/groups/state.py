"""The operations of staff on groups: acknowledge, reopen, mute, unmute, assign and annotate.

Each operation locks the row of the group, and records an event only if the operation changes the group. An operation
that is repeated therefore has no further effect.
"""

import datetime
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from audit.registry import EventType
from audit.services import record
from dlq import events
from dlq.errors import AssigneeNotFound, FailureGroupNotFound, InvalidMute
from dlq.groups.models import MAX_MUTE_LIMIT, FailureGroup
from hotelagent.core.ids import uuid7
from tenants.models import User

MAX_NOTE_LENGTH = 1_000


def acknowledge(*, fingerprint: str) -> None:
    """Mark the group as known. No alert reports the group until its error occurs in a new code version.

    Raises FailureGroupNotFound.
    """
    with _locked(fingerprint) as group:
        if group.acknowledged_at is None:
            group.acknowledged_at, group.regressed_at = timezone.now(), None
            _save(group, events.GROUP_ACKNOWLEDGED, "acknowledged_at", "regressed_at")


def reopen(*, fingerprint: str) -> None:
    """Undo `acknowledge`, so that alerts report the group again. Raises FailureGroupNotFound."""
    with _locked(fingerprint) as group:
        if group.acknowledged_at is not None:
            group.acknowledged_at = None
            _save(group, events.GROUP_REOPENED, "acknowledged_at")


def mute(*, fingerprint: str, until: datetime.datetime | None = None, limit: int | None = None) -> None:
    """Mute the group until a time, or until `limit` new failures were captured, whichever comes first.

    Raises FailureGroupNotFound. Raises InvalidMute if the time is in the past, the limit is not between 1 and
    MAX_MUTE_LIMIT, or both are None.
    """
    if until is None and limit is None:
        raise InvalidMute(_("Enter the time until which the group is muted, or a number of failures."))
    if until is not None and until <= timezone.now():
        raise InvalidMute(_("The time must be in the future."))
    if limit is not None and not 1 <= limit <= MAX_MUTE_LIMIT:
        raise InvalidMute(_("The number of failures must be between 1 and {max}.").format(max=MAX_MUTE_LIMIT))
    with _locked(fingerprint) as group:
        group.muted_from, group.muted_until, group.mute_limit = uuid7(), until, limit
        _save(
            group,
            events.GROUP_MUTED,
            *("muted_from", "muted_until", "mute_limit"),
            until=until and until.isoformat(),
            limit=limit,
        )


def unmute(*, fingerprint: str) -> None:
    """End the mute of the group. Raises FailureGroupNotFound."""
    with _locked(fingerprint) as group:
        if group.muted_from is not None:
            group.muted_from = group.muted_until = group.mute_limit = None
            _save(group, events.GROUP_UNMUTED, "muted_from", "muted_until", "mute_limit")


def assign(*, fingerprint: str, user_id: UUID | None) -> None:
    """Assign the group to a member of staff, or to no one. Raises FailureGroupNotFound, AssigneeNotFound."""
    user = User.objects.filter(id=user_id, is_active=True).first() if user_id else None
    if user_id and user is None:
        raise AssigneeNotFound(_("There is no active member of staff with the id {id}.").format(id=user_id))
    with _locked(fingerprint) as group:
        if group.assigned_to_id != user_id:
            group.assigned_to = user
            _save(group, events.GROUP_ASSIGNED, "assigned_to", assignee=user.username if user else "-")


def annotate(*, fingerprint: str, note: str) -> None:
    """Store the note of the group, at most MAX_NOTE_LENGTH characters. Raises FailureGroupNotFound.

    The audit trail does not contain the note, because the note may contain personal data.
    """
    with _locked(fingerprint) as group:
        if group.note != note:
            group.note = note[:MAX_NOTE_LENGTH]
            _save(group, events.GROUP_ANNOTATED, "note")


@contextmanager
def _locked(fingerprint: str) -> Iterator[FailureGroup]:
    with transaction.atomic():
        yield lock_group(fingerprint)


def lock_group(fingerprint: str) -> FailureGroup:
    """Lock a group and return it. Raises FailureGroupNotFound."""
    # The weaker lock FOR NO KEY UPDATE is sufficient, because this transaction does not change the key of the group.
    # Tasks that capture failures do not wait for the lock: they skip the update of a group whose row is locked.
    group = FailureGroup.objects.select_for_update(no_key=True).filter(fingerprint=fingerprint).first()
    if group is None:
        raise FailureGroupNotFound(_("There is no group {fingerprint}.").format(fingerprint=fingerprint))
    return group


def _save(group: FailureGroup, event: EventType, *fields: str, **data: object) -> None:
    group.save(update_fields=fields)
    record(event, subject=("failure_group", group.fingerprint), name=group.name, **data)
