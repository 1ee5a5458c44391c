"""The order of failures with the same ordering key, for example the failures of one booking.

Failures with the same key are retried one at a time, oldest first. A failure waits until all older failures with the
key are closed, even if an older failure is permanent. If newer work with the same key succeeds first, the older
failures wait for a person, because an automatic retry could undo the newer work.

Transactions that claim or close failures lock the ordering key first, and the failures afterwards. The rules are in the
database functions dlq_blocking_failure, dlq_overtake and dlq_wake_next.
"""

import json
import uuid

from django.db import connection, transaction
from django.utils.translation import gettext as _

from audit.services import actor_as_json
from dlq.models import WAITING_STATUSES, Failure, FailureStatus
from tenants.context import current_tenant

_NEWEST = uuid.UUID(int=2**128 - 1)


def lock(ordering_key: str) -> None:
    """Lock the ordering key until the end of the caller's transaction. Do nothing if the key is empty."""
    if ordering_key:
        with connection.cursor() as cursor:
            cursor.execute("SELECT dlq_lock_order(%s, %s)", [current_tenant().id, ordering_key])


def lock_failure(failure_id: uuid.UUID) -> Failure:
    """Lock the ordering key of a failure, and then the failure. Return the failure.

    Raises Failure.DoesNotExist.
    """
    lock(Failure.objects.values_list("ordering_key", flat=True).get(id=failure_id))
    failure: Failure = Failure.objects.select_for_update().get(id=failure_id)
    return failure


def waiting_reason(failure: Failure) -> str:
    """Return why the failure waits because of its ordering key, or "" if the ordering key is not a reason to wait.

    The failure must be annotated with `waits_for`.
    """
    if failure.status == FailureStatus.SCHEDULED and (older := getattr(failure, "waits_for", None)):
        return _(
            "Waits until the older failure {id} is resolved or discarded. Both failures have the ordering key {key}."
        ).format(id=older, key=failure.ordering_key)
    if failure.status in WAITING_STATUSES and failure.overtaken_at:
        return _(
            "Newer work with the ordering key {key} has succeeded. A retry of this failure could undo the newer "
            "work, so check whether the retry is still needed."
        ).format(key=failure.ordering_key)
    return ""


def wake_next(ordering_key: str) -> None:
    """Make the oldest open failure with this ordering key due.

    Call this function after a failure with the key was closed.

    The caller must have locked the ordering key.
    """
    if ordering_key:
        with connection.cursor() as cursor:
            cursor.execute("SELECT dlq_wake_next(%s, %s)", [current_tenant().id, ordering_key])


def overtake(ordering_key: str) -> int:
    """Make the open failures with this ordering key wait for a person, and return the number of these failures.

    Call this function when newer work with the same key has succeeded without the dead-letter queue.
    """
    if not ordering_key:
        return 0
    with transaction.atomic(), connection.cursor() as cursor:
        lock(ordering_key)
        cursor.execute(
            "SELECT dlq_overtake(%s, %s, %s, %s)",
            [current_tenant().id, ordering_key, _NEWEST, json.dumps(actor_as_json())],
        )
        return int(cursor.fetchone()[0])
