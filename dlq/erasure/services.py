"""The erasure of one guest from the failures and the audit trail of a hotel or of the platform.

The guest is identified by an e-mail address, a phone number or a reservation number. Every failure that contains the
identifier in its payload or texts loses its personal data. Work that needs the erased data is discarded. The personal
values of audit events that contain the identifier, or that are about the guest's reservations, are erased too.
"""

import time
import uuid
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import CharField, Value
from django.db.models.functions import Cast, Concat, Greatest
from django.utils.translation import gettext as _

from audit.erasure import Matcher, erase_guest
from audit.services import record
from dlq import events
from dlq.erasure import search
from dlq.erasure.models import Erasure
from dlq.groups.models import FailureGroup
from dlq.models import OPEN_STATUSES, Attempt, Failure, FailureStatus
from dlq.policy import FAILURE_DUE
from dlq.retention.clean_up import delete_personal_data_of
from dlq.retries import ordering
from tenants.context import current_hotel, current_tenant
from tenants.database.clock import database_now
from tenants.queue import due
from tenants.queue.celery_task import get_task

#: The Celery task that calls `apply_pending`.
ERASE_TASK = "dlq.tasks.erase"
#: The maximum number of failures that a preview shows.
SAMPLE_SIZE = 10


@dataclass(frozen=True, slots=True)
class ErasureResult:
    """The numbers of failures, discarded failures, attempts, groups and audit events from which data were erased.

    If `is_complete` is False, the erasure stopped at its time limit, and some data were not searched.
    """

    failures: int = 0
    discarded: int = 0
    attempts: int = 0
    groups: int = 0
    events: int = 0
    is_complete: bool = True

    def numbers(self) -> dict[str, Any]:
        return {
            name: getattr(self, name) for name in ("failures", "discarded", "attempts", "groups", "events")
        }


@dataclass(frozen=True, slots=True)
class Preview:
    """The preview of an erasure: the number of failures and how many of them are open, with the oldest failures.

    If `is_complete` is False, the time limit has ended the search, and the numbers are too low.
    """

    failures: int
    open: int
    groups: int
    sample: list[Failure]
    is_complete: bool


def preview(identifier: str, *, seconds: float) -> Preview:
    """Return what the erasure of a guest would do. The search stops after `seconds`. Raises InvalidIdentifier."""
    started = time.monotonic()
    is_match = search.matcher(search.digests_of(identifier))
    groups = len(search.find_groups(is_match))
    failures, still_open, sample, is_complete = 0, 0, list[Failure](), True
    for found in search.find_failures(is_match):
        failures += len(found)
        still_open += sum(failure.status in OPEN_STATUSES for failure in found)
        sample += found[: SAMPLE_SIZE - len(sample)]
        if time.monotonic() - started > seconds:
            is_complete = False
            break
    return Preview(failures, still_open, groups, sample, is_complete)


def forget(identifier: str) -> ErasureResult:
    """Erase a guest from the failures of the current tenant, and return what was erased.

    Each batch of failures is committed separately. If the process dies, the daily clean-up of the hotel finishes the
    erasure. The erasure is recorded without the identifier. Raises InvalidIdentifier.
    """
    digests = search.digests_of(identifier)
    _register(digests)
    return _erase(digests)


def forget_within(identifier: str, *, seconds: float) -> ErasureResult:
    """Erase a guest from the failures of the current hotel within `seconds`, and return what was erased.

    If more time is needed, the task ERASE_TASK erases the remaining data. Raises InvalidIdentifier and
    HotelNotSet.
    """
    current_hotel()
    digests = search.digests_of(identifier)
    _register(digests)
    result = _erase(digests, seconds=seconds)
    if not result.is_complete:
        # If the task is not sent, the daily clean-up erases the remaining data.
        get_task(ERASE_TASK).try_delay()
    return result


def apply_pending() -> ErasureResult:
    """Apply unfinished erasures of the current hotel, and erasures that a restore has undone.

    Raises HotelNotSet.
    """
    pending = Erasure.objects.filter(hotel_id=current_hotel().id or "", is_pending=True)
    digests = {bytes(digest) for digest in pending.values_list("digest", flat=True)}
    return _erase(digests) if digests else ErasureResult()


def _register(digests: set[bytes]) -> None:
    if hotel_id := current_tenant().id:
        rows = [Erasure(hotel_id=hotel_id, digest=digest) for digest in sorted(digests)]
        with transaction.atomic():
            Erasure.objects.bulk_create(rows, ignore_conflicts=True)
            _set_pending(digests, is_pending=True)


def _set_pending(digests: set[bytes], *, is_pending: bool) -> None:
    if hotel_id := current_tenant().id:
        Erasure.objects.filter(hotel_id=hotel_id, digest__in=digests).update(is_pending=is_pending)


def _erase(digests: set[bytes], *, seconds: float | None = None) -> ErasureResult:
    started, is_match = time.monotonic(), search.matcher(digests)
    groups = _erase_groups(is_match)
    failures, discarded, attempts, is_complete = 0, 0, 0, True
    for found in search.find_failures(is_match):
        if found:
            counts = _erase_failures([failure.id for failure in found])
            failures, discarded, attempts = failures + len(found), discarded + counts[0], attempts + counts[1]
        if seconds is not None and time.monotonic() - started > seconds:
            is_complete = False
            break
    erased_events = 0
    if is_complete:
        remaining = None if seconds is None else max(0.0, seconds - (time.monotonic() - started))
        erased_events, is_complete = erase_guest(is_match, seconds=remaining)
    result = ErasureResult(failures, discarded, attempts, groups, erased_events, is_complete)
    with transaction.atomic():
        if is_complete:
            _set_pending(digests, is_pending=False)
        record(events.ERASED, **result.numbers())
    return result


@transaction.atomic
def _erase_failures(ids: list[uuid.UUID]) -> tuple[int, int]:
    """Erase the guest's data from failures and their attempts, and discard the open failures.

    Return the number of discarded failures, and the number of attempts whose error message was deleted.
    """
    # Transactions that close failures lock the ordering keys of the failures first.
    keys = sorted(set(Failure.objects.filter(id__in=ids).values_list("ordering_key", flat=True)) - {""})
    for key in keys:
        ordering.lock(key)
    locked = Failure.objects.filter(id__in=ids).order_by("id").select_for_update()
    still_open = [failure for failure in locked if failure.status in OPEN_STATUSES]
    open_ids = [failure.id for failure in still_open]
    attempts = Attempt.objects.filter(failure_id__in=ids).exclude(error_message="").count()
    delete_personal_data_of(
        ids,
        # Replace both keys, because they can contain a digest of personal data or a reservation number.
        work_key=Concat(Value("erased:"), Cast("id", CharField())),
        ordering_key="",
    )
    Failure.objects.filter(id__in=open_ids).update(
        status=FailureStatus.DISCARDED,
        next_retry_at=None,
        claimed_until=None,
        closed_at=database_now(),
        discard_reason=_("The data of the guest were erased."),
    )
    if not current_tenant().is_platform:
        due.cancel(kind=FAILURE_DUE, ids=open_ids)
    _wait_for_running_attempts(still_open)
    for key in keys:
        ordering.wake_next(key)
    for failure in still_open:
        record(events.DISCARDED, subject=("failure", failure.id), name=failure.name, was=failure.status)
    return len(open_ids), attempts


def _wait_for_running_attempts(erased: list[Failure]) -> None:
    """Delay the retries of later failures with the same ordering key until the lease of a running attempt ends.

    The running attempt of an erased failure cannot be stopped. When its lease ends, the attempt has ended or is lost.
    """
    for failure in erased:
        if failure.ordering_key and failure.claimed_until:
            following = Failure.objects.filter(
                ordering_key=failure.ordering_key, status=FailureStatus.SCHEDULED, next_retry_at__isnull=False
            )
            following.update(next_retry_at=Greatest("next_retry_at", failure.claimed_until))


def _erase_groups(is_match: Matcher) -> int:
    """Find the groups whose texts contain an identifier, and delete these texts. Return the number of groups."""
    found = search.find_groups(is_match)
    changes = {"note": "", "error_message": "", "translatable_message": None, "traceback": "", "splits": None}
    FailureGroup.objects.filter(pk__in=found).update(**changes)
    return len(found)
