"""Test that a worker that is stopped completes the e-mail that it is sending, and leaves the rest to other workers."""

import os
import signal
from collections import Counter
from pathlib import Path

import pytest

from tenants.context import platform_context
from tenants.models import Hotel
from tenants.tasks import tick
from tests.chaos.hotels import create_reminders
from tests.chaos.mail_server import mail_server
from tests.chaos.process_starter import ProcessStarter
from tests.tenants.sql import query
from tests.upgrade.stack import wait_until

REMINDERS = 80
#: Mean duration of a message in seconds. All messages together take longer than the worker may take to stop.
DURATION = 0.5


@pytest.mark.django_db(transaction=True)
@pytest.mark.timeout(300)
def test_worker_that_is_stopped_in_a_batch_leaves_no_reminder_with_an_unknown_outcome(
    hotel: Hotel, tmp_path: Path
) -> None:
    create_reminders(hotel, 0, REMINDERS)
    with mail_server() as server:
        server.mean_duration = DURATION
        environment = {"EMAIL_URL": f"smtp://127.0.0.1:{server.port}", "REMAP_SIGTERM": "SIGQUIT"}
        with ProcessStarter(environment, log=tmp_path / "log", module="tests.upgrade.processes") as starter:
            worker = starter.run("worker")
            with platform_context():
                tick.delay()
            wait_until(lambda: server.confirmed.total() >= 2, what="the worker sends e-mails")
            os.kill(worker, signal.SIGTERM)
            assert starter.run("wait", worker) == 0, starter.log_tail()
        rows = query("SELECT status FROM hotel_alpha.reminders_reminder")
        statuses = Counter(status for (status,) in rows)
        assert statuses["sent"] == server.accepted.total() == server.confirmed.total()
        assert statuses == {"sent": statuses["sent"], "scheduled": REMINDERS - statuses["sent"]}
        assert statuses["scheduled"] > 0
