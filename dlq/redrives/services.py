"""The operations on redrive jobs: preview, start, pause, resume, cancel, and the erasure of a member of staff."""

import uuid
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from audit.recording.origin import without_person
from audit.services import actor_as_json, record
from dlq import events
from dlq.errors import InvalidRedrive, RedriveNotFound, RedriveStateError
from dlq.models import Failure
from dlq.redrives import coverage, previews
from dlq.redrives.models import (
    NO_ID,
    UNFINISHED_STATUSES,
    Redrive,
    RedriveAction,
    RedriveStatus,
)
from dlq.redrives.previews import Preview
from dlq.selection import FailureSelection
from tenants.context import current_tenant
from tenants.database.clock import database_now
from tenants.queue.celery_task import send_on_commit
from tenants.unaudited import unaudited

RUN_TASK = "dlq.tasks.continue_redrives"


@dataclass(frozen=True, slots=True, kw_only=True)
class RedriveOptions:
    """The options of a redrive job: what it does with the selected failures, and how fast.

    The fields are columns of `Redrive`. Raises InvalidRedrive if options contradict each other, or if the reason for
    discarding failures is missing.
    """

    action: str = RedriveAction.RETRY
    discard_reason: str = ""
    confirm_in_doubt: bool = False
    rate: int | None = None
    canary: int = 0
    max_failure_rate: int | None = None

    def __post_init__(self) -> None:
        is_discard = self.action == RedriveAction.DISCARD
        if is_discard and not self.discard_reason.strip():
            raise InvalidRedrive(_("Enter a reason for discarding."))
        if is_discard and (self.rate or self.canary or self.max_failure_rate is not None):
            raise InvalidRedrive(
                _(
                    "The rate, the canary and the maximum failure rate apply to retries only. "
                    "Leave them out to discard failures."
                )
            )
        if self.discard_reason and not is_discard:
            raise InvalidRedrive(
                _("Leave out the discard reason: only a redrive that discards failures has a reason.")
            )

    def as_fields(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def preview(*, selection: FailureSelection, options: RedriveOptions) -> Preview:
    """Return what a redrive job with these options would do. Nothing is changed."""
    redrive = Redrive(selection=selection.as_json(), **options.as_fields())
    return previews.preview(redrive)


def start(*, selection: FailureSelection, options: RedriveOptions) -> Redrive:
    """Start a redrive job of the selected failures that exist and are open now, and return the redrive.

    A worker processes the failures in steps. For the platform, a periodic task makes the steps.
    """
    with transaction.atomic():
        now = database_now()
        last_id = Failure.objects.order_by("-id").values_list("id", flat=True).first() or NO_ID
        redrive = Redrive.objects.create(
            status=RedriveStatus.CANARY if options.canary else RedriveStatus.RUNNING,
            selection=selection.as_json(),
            matched=previews.count_within_time_limit(selection),
            last_id=last_id,
            actor=actor_as_json(),
            started_at=now,
            paced_until=now,
            **options.as_fields(),
        )
        record(
            events.REDRIVE_STARTED,
            subject=("redrive", redrive.id),
            action=options.action,
            rate=options.rate,
            canary=options.canary,
            max_failure_rate=options.max_failure_rate,
        )
        _continue(redrive)
    return redrive


def pause(*, redrive_id: uuid.UUID) -> Redrive:
    """Pause a redrive job, and withdraw the retries that no worker has begun.

    Raises RedriveNotFound, RedriveStateError.
    """
    with transaction.atomic():
        redrive = _lock(redrive_id, (RedriveStatus.CANARY, RedriveStatus.RUNNING))
        coverage.withdraw(redrive)
        redrive.status = RedriveStatus.PAUSED
        redrive.save()
        coverage.cancel_step(redrive)
        record(events.REDRIVE_PAUSED, subject=("redrive", redrive.id))
    return redrive


def resume(*, redrive_id: uuid.UUID) -> Redrive:
    """Resume a paused redrive job. Raises RedriveNotFound, RedriveStateError."""
    with transaction.atomic():
        redrive = _lock(redrive_id, (RedriveStatus.PAUSED,))
        in_canary = redrive.canary and redrive.scheduled <= redrive.canary
        redrive.status = RedriveStatus.CANARY if in_canary else RedriveStatus.RUNNING
        redrive.save()
        record(events.REDRIVE_RESUMED, subject=("redrive", redrive.id))
        _continue(redrive)
    return redrive


def cancel(*, redrive_id: uuid.UUID) -> Redrive:
    """End a redrive job, and withdraw the retries that no worker has begun.

    Raises RedriveNotFound, RedriveStateError.
    """
    with transaction.atomic():
        redrive = _lock(redrive_id, UNFINISHED_STATUSES)
        coverage.withdraw(redrive)
        coverage.end(redrive, RedriveStatus.CANCELLED)
        record(events.REDRIVE_CANCELLED, subject=("redrive", redrive.id))
    return redrive


def _continue(redrive: Redrive) -> None:
    """Let a worker continue the redrive job after the caller's transaction has committed."""
    coverage.schedule_step(redrive, at=database_now())
    if not current_tenant().is_platform:
        send_on_commit(RUN_TASK, [str(redrive.id)])


def _lock(redrive_id: uuid.UUID, statuses: tuple[RedriveStatus, ...]) -> Redrive:
    redrive = Redrive.objects.select_for_update().filter(id=redrive_id).first()
    if redrive is None:
        raise RedriveNotFound(_("There is no redrive {id}.").format(id=redrive_id))
    if redrive.status not in statuses:
        detail = _("The operation is not possible, because the status of the redrive is {status}.").format(
            status=redrive.get_status_display()
        )
        raise RedriveStateError(detail, state=redrive.status)
    return redrive


@unaudited("The erasure of the member of staff is recorded.")
def erase_staff_member(user_id: str) -> int:
    """Erase the name, IP address and user agent of a member of staff from redrives, in the caller's transaction.

    Return the number of changed redrives. The id of the person remains.
    """
    is_person = Q(actor__kind="user", actor__id=user_id)
    is_initiator = Q(actor__initiator__kind="user", actor__initiator__id=user_id)
    redrives = list(Redrive.objects.select_for_update().filter(is_person | is_initiator).order_by("id"))
    for redrive in redrives:
        Redrive.objects.filter(id=redrive.id).update(actor=without_person(redrive.actor, user_id))
    return len(redrives)
