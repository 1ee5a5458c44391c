"""A program that starts the processes of the chaos tests: Celery workers, Celery beats, and functions of the tests.

The program loads Django once and forks a child process for each command, a line of JSON in its input. The commands are:

    ["worker", pool, concurrency]           start a worker, write its process id
    ["beat", lease, renewal]                start a beat, write its process id
    ["call", function, argument, ...]       call a function of the tests, write the exit status of its process
"""

import json
import os
import sys
from collections.abc import Callable
from datetime import timedelta

import django

from tests import forking

# Time limits for tests. In production, they are minutes. A batch and a wait for the mail server end before the claim
# expires. The claim expires before the lease of the due items.
BATCH_TIME_LIMIT = 1.5
MAIL_TIMEOUT = 1.5
CLAIM_TIMEOUT = timedelta(seconds=4)
DUE_LEASE = timedelta(seconds=5)
RETRY_DELAY = timedelta(seconds=1)
BEAT_LEASE, BEAT_RENEWAL = 3, 0.5
BATCH_SIZE = 20  # the maximum number of due items per message
# The lease of an attempt is longer than the time for which a worker tries to store a success.
HANDLER_LEASE = timedelta(seconds=4)
QUEUE_LEASE = timedelta(seconds=int(os.environ.get("CHAOS_QUEUE_LEASE", "8")))
SUCCESS_DELAYS = (0.25, 0.5, 1.0, 1.0)
REQUEUE_DELAY = 0.5
REDRIVE_DELAY = timedelta(seconds=0.5)
VISIBILITY_TIMEOUT = 4


def main() -> None:
    """Execute the commands from standard input until the input ends."""
    django.setup()
    _shorten_timeouts()
    # These imports need the loaded apps. They also register the tasks and kinds that workers run.
    from tests.chaos import failures, hotels, messages  # noqa: PLC0415

    callable_functions: dict[str, Callable[..., None]] = {
        "create_hotels": hotels.create_hotels,
        "send_work": failures.send_work,
        "discard_completed_jobs_in_doubt": failures.discard_completed_jobs_in_doubt,
        "start_redrives": failures.start_redrives,
        "run_killed_worker": messages.run_killed_worker,
    }
    functions: dict[str, Callable[..., None]] = {"worker": _worker, "beat": _beat}
    children: list[int] = []
    for line in sys.stdin:
        name, *arguments = json.loads(line)
        if name == "call":
            function, *arguments = arguments
            child = forking.fork(callable_functions[function], *arguments)
            result = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        else:
            result = forking.fork(functions[name], *arguments)
            children.append(result)
        print(result, flush=True)
    forking.kill(children)


def _shorten_timeouts() -> None:
    from django.conf import settings  # noqa: PLC0415 - needs django.setup()

    from dlq.redrives import progress  # noqa: PLC0415
    from dlq.retries import schedule  # noqa: PLC0415
    from reminders.sending import batch, claims  # noqa: PLC0415
    from tenants.queue import celery_task, due, success  # noqa: PLC0415

    settings.EMAIL_TIMEOUT = MAIL_TIMEOUT
    # A message of a killed worker returns to the queue after this time. In production, the time is 300 seconds.
    settings.CELERY_BROKER_TRANSPORT_OPTIONS |= {
        "visibility_timeout": VISIBILITY_TIMEOUT, "unacked_restore_interval": 1, "unacked_restore_throttle": 1,
    }  # fmt: skip
    progress.MIN_DELAY = REDRIVE_DELAY
    schedule.HANDLER_LEASE, schedule.QUEUE_LEASE = HANDLER_LEASE, QUEUE_LEASE
    success.SUCCESS_DELAYS, celery_task.REQUEUE_DELAY = SUCCESS_DELAYS, REQUEUE_DELAY
    claims.CLAIM_TIMEOUT, batch.TIME_LIMIT, batch.FIRST_DELAY = CLAIM_TIMEOUT, BATCH_TIME_LIMIT, RETRY_DELAY
    for kind in due.kinds().values():
        due.register(
            kind=kind.name,
            task=kind.task,
            batch_size=BATCH_SIZE,
            lease=DUE_LEASE,
            daily=kind.daily,
            recurring=kind.recurring,
            combine_hotels=kind.combine_hotels,
        )


def _worker(pool: str, concurrency: int) -> None:
    from hotelagent.celery import app  # noqa: PLC0415

    app.worker_main(
        ["worker", f"--pool={pool}", f"--concurrency={concurrency}", "--loglevel=WARNING", "--without-gossip",
         "--without-mingle", "--without-heartbeat", f"--hostname={os.getpid()}"]
    )  # fmt: skip


def _beat(lease: int, renewal: float) -> None:
    from hotelagent import beat  # noqa: PLC0415
    from hotelagent.celery import app  # noqa: PLC0415

    beat.LEASE_SECONDS, beat.RENEW_SECONDS = lease, renewal
    app.Beat(loglevel="WARNING").run()


if __name__ == "__main__":
    main()
