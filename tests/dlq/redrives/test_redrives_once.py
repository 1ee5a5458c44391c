"""Tests that a redrive job processes each failure once, even if workers die or the broker loses messages."""

import os
import signal
from collections import Counter
from collections.abc import Callable
from functools import partial

import pytest
from django.db import connections

from dlq import services as failures
from dlq import tasks
from dlq.models import WAITING_STATUSES, Failure
from dlq.redrives import coverage, progress, services
from dlq.redrives.models import Redrive
from dlq.redrives.services import RedriveOptions
from dlq.selection import FailureSelection
from tenants.context import hotel_context, platform_context
from tenants.database.clock import database_now
from tenants.models import DueItem, Hotel
from tenants.queue import dispatch
from tests.dlq.conftest import Lamp, capture_failure


def start() -> Redrive:
    return services.start(selection=FailureSelection(), options=RedriveOptions())


def run_in_process_that_is_killed(work: Callable[[], object]) -> None:
    """Run `work`, which kills its process, in a child process."""
    connections.close_all()
    child = os.fork()
    if not child:
        try:
            work()
        finally:
            os._exit(3)
    _pid, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status)
    assert os.WTERMSIG(status) == signal.SIGKILL


def advance_and_die(redrive: Redrive, *, steps: int, before_commit: bool) -> None:
    """Execute this number of steps of the redrive job, and then kill the process.

    With `before_commit`, the process is killed before the commit of the last step, otherwise after the commit.
    """
    step, made = progress._step, 0

    def step_or_die(redrive: Redrive) -> object:
        nonlocal made
        if made == steps and not before_commit:
            os.kill(os.getpid(), signal.SIGKILL)
        made += 1
        delay = step(redrive)
        if made == steps and before_commit:
            os.kill(os.getpid(), signal.SIGKILL)
        return delay

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(progress, "_step", step_or_die)
        progress.advance(redrive_id=redrive.id)


def retry_scheduled() -> None:
    due = Failure.objects.filter(status="scheduled", next_retry_at__lte=database_now()).order_by("id")
    tasks.retry_due([str(failure_id) for failure_id in due.values_list("id", flat=True)])


def store_permanent_failures() -> None:
    """Store nine permanent failures that were retried three times before, so no automatic retry follows."""
    for number in range(9):
        capture_failure(room=str(number), retry=False)
    Failure.objects.update(retries=3)


def retry_until_no_failure_waits(*, max_rounds: int) -> int:
    """Retry failures in a loop until no failure waits, as other queues do. Return the number of rounds."""
    waiting = Failure.objects.filter(status__in=WAITING_STATUSES).values_list("id", flat=True)
    rounds = 0
    while rounds < max_rounds and (ids := list(waiting.all())):
        for failure_id in ids:
            failures.retry(failure_id=failure_id)
        retry_scheduled()
        rounds += 1
    return rounds


@pytest.mark.django_db(transaction=True)
def test_redrive_whose_workers_are_killed_retries_each_open_failure_once(
    hotel: Hotel, lamp: Lamp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the negative control, a loop that runs until no failure is waiting retries the failures repeatedly and never
    ends.
    """
    monkeypatch.setattr(coverage, "BATCH_SIZE", 2)
    lamp.fail()
    with hotel_context(hotel):
        store_permanent_failures()
        closed = Failure.objects.order_by("id")[0]
        failures.discard(failure_id=closed.id, reason="sent manually")
        redrive = start()
        deaths = [(1, True), (2, True), (1, False), (1, False)]
        for number, (steps, before_commit) in enumerate(deaths):
            run_in_process_that_is_killed(
                partial(advance_and_die, redrive, steps=steps, before_commit=before_commit)
            )
            retry_scheduled()
            capture_failure(room=f"later {number}", retry=False)
        for _ in range(3):
            progress.advance(redrive_id=redrive.id)
            retry_scheduled()
        redrive.refresh_from_db()
        assert (redrive.status, redrive.scheduled, redrive.failed) == ("finished", 8, 8)
    retried = Counter(payload["room"] for payload in lamp.retried)
    assert retried == {str(number): 1 for number in range(1, 9)}

    lamp.retried.clear()
    with hotel_context(hotel):
        assert retry_until_no_failure_waits(max_rounds=3) == 3
    retried_again = Counter(payload["room"] for payload in lamp.retried)
    assert all(retried_again[str(number)] == 3 for number in range(1, 9))


@pytest.mark.django_db
def test_redrive_whose_celery_message_was_lost_is_continued_by_the_due_queue(
    in_hotel: Hotel, lamp: Lamp, eager: None
) -> None:
    store_permanent_failures()
    # The message that `start` sends after the commit is lost: the transaction of this test is never committed.
    redrive = start()
    for _ in range(3):
        with platform_context():
            DueItem.objects.update(claim_at=database_now())
            dispatch.dispatch_due_items()
    redrive.refresh_from_db()
    assert (redrive.status, redrive.succeeded, len(lamp.retried)) == ("finished", 9, 9)
