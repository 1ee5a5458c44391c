"""The Celery tasks of the dead-letter queue: retries, redrive jobs, alerts, groups and clean-up."""

import time
import uuid

from celery import shared_task

from dlq import policy, selectors
from dlq.alerts import digest, failure_counts
from dlq.erasure import services as erasure
from dlq.groups import counts, splitting
from dlq.redrives import clean_up as redrives
from dlq.redrives import progress
from dlq.retention import clean_up as retention
from dlq.retention import pauses
from dlq.retries import runner
from tenants.context import platform_context
from tenants.queue import dispatch, due
from tenants.queue.celery_task import HotelTask

PLATFORM_BATCH_SIZE = 50
#: A task starts no further retry after this number of seconds, so that the last retry has enough time to finish.
BATCH_SECONDS = 60.0


@shared_task(base=HotelTask, name="dlq.tasks.retry_due")
def retry_due(ids: list[str]) -> None:
    """Retry the failures with these ids, which belong to one hotel.

    The due queue (`tenants.queue.due`) sends this task. If the task ends early, the due queue sends the task again for
    the remaining failures.
    """
    remaining = runner.retry_all([uuid.UUID(failure_id) for failure_id in ids], seconds=BATCH_SECONDS)
    if remaining:
        retry_due.try_delay([str(failure_id) for failure_id in remaining])


@shared_task(base=HotelTask, name=runner.LIMITED_TASK)
def retry_within_time_limit(failure_id: str, number: int) -> None:
    """Retry a failure as attempt `number`.

    The Celery message of this task has the time limit that the kind of failure declares.
    """
    runner.retry_due(failure_id=uuid.UUID(failure_id), number=number)


@shared_task(base=HotelTask, name="dlq.tasks.continue_redrives")
def continue_redrives(ids: list[str]) -> None:
    """Continue the redrive jobs with these ids.

    All ids belong to one hotel. The due queue (`tenants.queue.due`) sends this task for each step of a redrive.
    """
    has_scheduled = [progress.advance(redrive_id=uuid.UUID(redrive_id)) for redrive_id in ids]
    if any(has_scheduled):
        # Send the retries that are due now to workers, instead of waiting until Celery beat starts the dispatcher.
        with platform_context():
            dispatch.dispatch_due_items()


@shared_task(base=HotelTask, name="dlq.tasks.clean_up")
def clean_up(ids: list[str]) -> None:
    """Clean up the failures of a hotel once a day. `ids` contains only the id of the hotel."""
    erasure.apply_pending()
    _clean_up()
    due.complete(kind=policy.CLEAN_UP_DUE, ids=[uuid.UUID(hotel) for hotel in ids])


@shared_task(base=HotelTask, name="dlq.tasks.release")
def release(ids: list[str]) -> None:
    """Schedule the retries that became due while retries were paused.

    This task runs after the end of the pause. `ids` contains only the id of the hotel.
    """
    pauses.release()
    due.complete(kind=policy.RELEASE_DUE, ids=[uuid.UUID(hotel) for hotel in ids])


@shared_task(base=HotelTask, name="dlq.tasks.watch_all")
def watch_all() -> None:
    """Count the failures of the platform, and send an alert if needed. Schedule the task `watch` for each hotel.

    Celery beat sends this task.
    """
    _watch()
    due.schedule_for_all_hotels(kind=policy.WATCH_DUE)


@shared_task(base=HotelTask, name="dlq.tasks.watch")
def watch(ids: list[str]) -> None:
    """Count the failures of a hotel, and send an alert if needed. `ids` contains only the id of the hotel."""
    _watch()
    due.complete(kind=policy.WATCH_DUE, ids=[uuid.UUID(hotel) for hotel in ids])


def _watch() -> None:
    failure_counts.count_failures()
    if digest.is_due():
        # A separate task sends the alert, so that a slow mail server does not delay the counts of other hotels.
        send_alert.try_delay()


@shared_task(base=HotelTask, name="dlq.tasks.send_alert")
def send_alert() -> None:
    """Send an alert by e-mail if the current tenant has problems with failures that no alert has reported yet."""
    digest.send_if_due()


@shared_task(base=HotelTask, name="dlq.tasks.clean_up_platform")
def clean_up_platform() -> None:
    """Delete old failures of the platform. Celery beat sends this task once a day."""
    _clean_up()


@shared_task(base=HotelTask, name="dlq.tasks.retry_platform_due")
def retry_platform_due() -> None:
    """Continue the platform's redrive jobs, and retry its due failures.

    Celery beat sends this task, because the due queue (`tenants.queue.due`) contains only items of hotels.
    """
    for redrive_id in selectors.active_redrives():
        progress.advance(redrive_id=redrive_id)
    runner.retry_all(selectors.due_failures(limit=PLATFORM_BATCH_SIZE), seconds=BATCH_SECONDS)


@shared_task(base=HotelTask, name=counts.COUNT_TASK)
def count_groups() -> None:
    """Count the failures of all groups. Pages of groups send this task if the stored counts are too old."""
    counts.store_counts()


@shared_task(base=HotelTask, name=splitting.REGROUP_TASK)
def regroup() -> None:
    """Move failures to the groups that the rules assign them to, after rules were changed.

    If this task is lost, the daily clean-up moves the remaining failures.
    """
    started = time.monotonic()
    for fingerprint in splitting.groups_to_regroup():
        while splitting.regroup(fingerprint=fingerprint):
            if time.monotonic() - started > BATCH_SECONDS:
                regroup.try_delay()
                return


@shared_task(base=HotelTask, name=erasure.ERASE_TASK)
def erase() -> None:
    """Finish erasures of guest data that took too long for one HTTP request.

    If this task is lost, the daily clean-up finishes the erasures.
    """
    erasure.apply_pending()


def _clean_up() -> None:
    redrives.clean_up()
    retention.clean_up()
    if splitting.groups_to_regroup():
        regroup.try_delay()
