"""The processes under test: workers, beats and what fills the database, forked from one that has Django loaded.

`python -m tests.chaos.program` reads one command a line, as JSON, and answers each with one number: ["worker",
pool] and ["beat", lease, renewal] are started, the answer is their process id, which is their group's too;
["fill", hotels, reminders] is waited for, the answer is its exit status. When its input ends, so do all that it
started.
"""

import contextlib
import json
import os
import signal
import sys
from collections.abc import Callable
from datetime import timedelta

import django

#: What a lost worker's mails wait for before another gets them, in place of minutes. A claim is stale before its
#: items are handed out again, a batch ends and a server that hangs is given up before its claim is stale.
LEASE = timedelta(seconds=5)
STALE_AFTER = timedelta(seconds=4)
BATCH_SECONDS = 1.5
MAIL_SECONDS = 1.5
LATER = timedelta(seconds=1)
BEAT_LEASE, BEAT_RENEWS = 3, 0.5  # seconds
BATCH = 20  # mails


def main() -> None:
    django.setup()
    _hurry()
    from tests.chaos import filling  # noqa: PLC0415 - its models need Django's apps

    starts: dict[str, Callable[..., None]] = {"worker": _worker, "beat": _beat}
    started: list[int] = []
    for line in sys.stdin:
        name, *arguments = json.loads(line)
        if name == "fill":
            child = _forked(lambda: filling.fill(*arguments))  # noqa: B023 - called at once
            answer = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        else:
            answer = _forked(lambda: starts[name](*arguments))  # noqa: B023 - called at once
            started.append(answer)
        print(answer, flush=True)
    for group in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)


def _hurry() -> None:
    from django.conf import settings  # noqa: PLC0415 - Django is set up by now

    from reminders.sending import batch, claims  # noqa: PLC0415
    from tenants.queue import due  # noqa: PLC0415

    settings.EMAIL_TIMEOUT = MAIL_SECONDS
    claims.CLAIM_TIMEOUT, batch.TIME_LIMIT, batch.FIRST_DELAY = STALE_AFTER, BATCH_SECONDS, LATER
    for kind in due.kinds().values():
        due.register(
            kind=kind.name, task=kind.task, batch_size=BATCH, lease=LEASE, combine_hotels=kind.combine_hotels
        )


def _forked(work: Callable[[], object]) -> int:
    """Run it in a child with a group of its own."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        os.setsid()
        os.close(0)
        os.dup2(2, 1)  # what answers commands is ours alone
        work()
        status = 0
    finally:
        os._exit(status)


def _worker(pool: str) -> None:
    from hotelagent.celery import app  # noqa: PLC0415

    app.worker_main(
        ["worker", f"--pool={pool}", "--concurrency=2", "--loglevel=WARNING", "--without-gossip",
         "--without-mingle", "--without-heartbeat", f"--hostname={os.getpid()}"]
    )  # fmt: skip


def _beat(lease: int, renews: float) -> None:
    from hotelagent import beat  # noqa: PLC0415
    from hotelagent.celery import app  # noqa: PLC0415

    beat.LEASE_SECONDS, beat.RENEW_SECONDS = lease, renews
    app.Beat(loglevel="WARNING").run()


if __name__ == "__main__":
    main()
