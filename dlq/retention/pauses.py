"""Pauses of retries: of all failures of a tenant, or of the failures with one name (a kind of failure).

During a pause, failures are captured as usual, but no retry starts. A retry that becomes due is parked: the failure
stays scheduled without a time of its next retry, and its due item is due in the year 9999.

After the pause, the retries start at a limited rate, so that a repaired system does not receive all retries at the same
moment. The age limit of a parked failure then begins again.

A failure of the platform has no due item. The periodic task that retries these failures leaves paused failures out.
"""

import datetime
import uuid
from dataclasses import dataclass

from django.db import connection, transaction

from audit.services import record
from dlq import events
from dlq.models import Failure, FailureStatus
from dlq.policy import FAILURE_DUE, MAX_AGE, NEVER, RELEASE_DUE
from dlq.retention.models import FailureSettings
from tenants.context import current_tenant
from tenants.database.clock import database_now
from tenants.queue import due
from tenants.unaudited import unaudited

#: The number of retries that become due per second after a pause.
RELEASED_PER_SECOND = 20
#: The number of failures whose retries one transaction schedules after a pause.
BATCH_SIZE = 500
#: Maximum length of the name of a kind of failure.
MAX_NAME_LENGTH = 150

_LOCK_SHARED = """
SELECT is_paused, paused_kinds FROM public.dlq_failuresettings WHERE hotel_id IS NOT DISTINCT FROM %s FOR SHARE
"""

_PARKED = """
SELECT item_id FROM public.tenants_dueitem
WHERE hotel_id = %s AND kind = %s AND item_id > %s AND due_at = %s
ORDER BY item_id LIMIT %s
"""

_RELEASE = """
UPDATE dlq_failure AS failure
SET next_retry_at = released.at,
    expires_at = greatest(failure.expires_at, released.at + make_interval(secs => %s))
FROM unnest(%s::uuid[], %s::timestamptz[]) AS released (id, at)
WHERE failure.id = released.id
"""


@dataclass(frozen=True, slots=True)
class Pauses:
    """The pauses of a tenant: all retries are paused, or only the retries of failures whose name is in `kinds`."""

    all_kinds: bool = False
    kinds: tuple[str, ...] = ()

    def cover(self, name: str) -> bool:
        return self.all_kinds or name in self.kinds


def current_pauses() -> Pauses:
    """Return whether all retries of the current tenant are paused, and the names of the failures whose retries are
    paused.
    """
    row = FailureSettings.objects.values_list("is_paused", "paused_kinds").first()
    return Pauses(row[0], tuple(row[1])) if row else Pauses()


def pause(*, name: str = "") -> bool:
    """Pause the retries of failures with this name, or of all failures.

    Return False if these retries were already paused. A retry that is running ends normally.
    """
    with transaction.atomic():
        settings = FailureSettings.objects.lock()
        if is_change := (name not in settings.paused_kinds if name else not settings.is_paused):
            if name:
                settings.paused_kinds = sorted([*settings.paused_kinds, name])
            else:
                settings.is_paused = True
            settings.save(update_fields=["is_paused", "paused_kinds"])
            record(events.PAUSED, name=name)
    return is_change


def resume(*, name: str = "") -> bool:
    """End the pause of failures with this name, or the pause of all failures. Return False if there was no
    such pause.

    After the pause, `RELEASED_PER_SECOND` waiting retries become due per second.
    """
    with transaction.atomic():
        settings = FailureSettings.objects.lock()
        if is_change := (name in settings.paused_kinds if name else settings.is_paused):
            if name:
                settings.paused_kinds = [kind for kind in settings.paused_kinds if kind != name]
            else:
                settings.is_paused = False
            settings.save(update_fields=["is_paused", "paused_kinds"])
            record(events.RESUMED, name=name)
            _schedule_release()
    return is_change


def _schedule_release() -> None:
    tenant, now = current_tenant(), database_now()
    if tenant.id is not None:
        due.schedule(kind=RELEASE_DUE, items=[(tenant.id, now)], keep_initiator=True)
        return
    overdue = Failure.objects.filter(status=FailureStatus.SCHEDULED, next_retry_at__lte=now)
    overdue.filter(expires_at__lt=now + MAX_AGE).update(expires_at=now + MAX_AGE)


def park(failure_id: uuid.UUID) -> bool:
    """Park a scheduled failure if its retries are paused. A parked failure has no due time until the pause ends.

    Return whether the retries are paused.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        # `resume` waits for the lock on the settings until this transaction has ended.
        # Without this lock, `resume` could end the pause before this failure is marked as paused.
        cursor.execute(_LOCK_SHARED, [current_tenant().id])
        row = cursor.fetchone()
        scheduled = Failure.objects.filter(id=failure_id, status=FailureStatus.SCHEDULED)
        name = scheduled.values_list("name", flat=True).first()
        if row is None or name is None or not Pauses(row[0], tuple(row[1])).cover(name):
            return False
        if not current_tenant().is_platform and scheduled.update(next_retry_at=None):
            due.schedule(kind=FAILURE_DUE, items=[(failure_id, NEVER)])
        return True


@unaudited("The resumption was recorded when a person requested it.")
def release() -> int:
    """Schedule the paused failures of the current hotel whose pause has ended. Return the number of these failures."""
    if current_tenant().is_platform:
        return 0
    released, last, start = 0, uuid.UUID(int=0), database_now()
    while True:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute(_PARKED, [current_tenant().id, FAILURE_DUE, last, NEVER, BATCH_SIZE])
                ids = [row[0] for row in cursor.fetchall()]
            if not ids:
                return released
            released += _release_batch(ids, start, released)
        last = ids[-1]


def _release_batch(ids: list[uuid.UUID], start: datetime.datetime, released: int) -> int:
    paused = current_pauses()
    parked = Failure.objects.filter(id__in=ids, status=FailureStatus.SCHEDULED, next_retry_at=None)
    rows = parked.order_by("id").select_for_update().values_list("id", "name")
    items = [
        (failure_id, start + datetime.timedelta(seconds=(released + position) / RELEASED_PER_SECOND))
        for position, failure_id in enumerate(row[0] for row in rows if not paused.cover(row[1]))
    ]
    if items:
        with connection.cursor() as cursor:
            cursor.execute(
                _RELEASE, [MAX_AGE.total_seconds(), [item[0] for item in items], [item[1] for item in items]]
            )
        due.schedule(kind=FAILURE_DUE, items=items, keep_initiator=True)
    return len(items)
