"""Test that every reminder is sent exactly once while processes of the deployment are killed.

A reminder may end with the status `unknown` only if a worker was killed before it stored the confirmation of the
message. `make chaos` runs a longer test with 10,000 reminders in 50 hotels.
"""

import os
import random
from collections.abc import Callable

import pytest

from tests import servers
from tests.chaos.hotels import GROUP_SIZE, REJECTED, RULES
from tests.chaos.mail_server import ChaosMailServer, mail_server
from tests.chaos.reminders import PREFORK, THREADS, ReminderDeployment, Result, deployment

REMINDERS = int(os.environ.get("CHAOS_REMINDERS", "300"))
HOTELS = int(os.environ.get("CHAOS_HOTELS", "5"))
SEED = int(os.environ.get("CHAOS_SEED", "1"))
IS_LONG = REMINDERS > 1000
#: Seconds without a message after which the test fails, on a machine that is busy with other tests.
TIMEOUT = 90.0

Incident = tuple[str, Callable[[ReminderDeployment], None]]
INCIDENTS: list[Incident] = [
    ("the mail server disconnects after messages", ReminderDeployment.disconnect_after_message),
    ("one process of a pool is killed", ReminderDeployment.kill_pool_process),
    ("Valkey is flushed", ReminderDeployment.flush_valkey),
    ("the mail server is unavailable for a moment", ReminderDeployment.make_mail_server_unavailable),
    ("a prefork worker is killed", lambda running: running.kill_worker(PREFORK)),
    ("PostgreSQL is restarted", ReminderDeployment.restart_postgres),
    ("the mail server hangs", ReminderDeployment.hang),
    ("a beat is killed", ReminderDeployment.kill_beat),
    ("a worker with threads is killed", lambda running: running.kill_worker(THREADS)),
    ("Valkey is killed", ReminderDeployment.restart_valkey),
]


@pytest.mark.timeout(900 if IS_LONG else 300)
def test_every_reminder_is_sent_once_while_processes_are_killed() -> None:
    if servers.find_pgbouncer() is None:
        servers.skip_or_fail_in_ci("pgbouncer")
    with mail_server() as server, deployment(server, hotels=HOTELS, reminders=REMINDERS) as running:
        running.start()
        for messages, (name, cause) in schedule():
            running.wait_until(lambda: server.accepted.total() >= messages, timeout=TIMEOUT)  # noqa: B023
            cause(running)
            running.incidents[name] += 1
        running.wait_until(running.is_idle, timeout=TIMEOUT)
        result = running.result()
        print(summary(running, server, result))
        check(running, server, result)


def schedule() -> list[tuple[int, Incident]]:
    """Return the incidents in the order in which they happen.

    Each incident is paired with the number of accepted messages after which it happens. If the test sends many
    reminders (`IS_LONG`), forty more incidents are chosen at random, with a fixed seed.
    """
    generator = random.Random(SEED)  # noqa: S311 - not a secret
    incidents = INCIDENTS + [generator.choice(INCIDENTS) for _ in range(40 if IS_LONG else 0)]
    last = REMINDERS * 0.8
    positions = [int(last * (number + 1) / (len(incidents) + 1)) for number in range(len(incidents))]
    return list(zip(positions, incidents, strict=True))


def check(running: ReminderDeployment, server: ChaosMailServer, result: Result) -> None:
    sent, unknown, failed = (result.by_status.get(name, set()) for name in ("sent", "unknown", "failed"))
    assert set(result.by_status) <= {"sent", "unknown", "failed"}
    assert result.queued == 0
    assert sum(map(len, result.by_status.values())) == total_reminders()
    assert server.accepted.most_common(1)[0][1] == 1  # no message twice
    assert len(failed) == total_rejected()
    assert not failed & set(server.accepted)

    accepted, confirmed = set(server.accepted), set(server.confirmed)
    assert sent <= confirmed <= sent | unknown
    assert accepted - confirmed <= unknown
    assert len(unknown - (accepted - confirmed)) <= running.interrupted
    assert result.sent_events.keys() == sent
    assert set(result.sent_events.values()) == {1}


def total_reminders() -> int:
    return REMINDERS // HOTELS // RULES * RULES * HOTELS


def total_rejected() -> int:
    guests = REMINDERS // HOTELS // RULES
    return RULES * HOTELS * sum(guest % GROUP_SIZE == REJECTED for guest in range(guests))


def summary(running: ReminderDeployment, server: ChaosMailServer, result: Result) -> str:
    lines = [f"{number} x {name}" for name, number in running.incidents.items()]
    counts = {status: len(ids) for status, ids in result.by_status.items()}
    lost = total_reminders() - sum(counts.values())
    twice = sum(count > 1 for count in server.accepted.values())
    lines.append(
        f"{total_reminders()} reminders of {HOTELS} hotels: {counts}, lost {lost}, accepted twice {twice}"
    )
    lines.append(f"{len(server.accepted)} messages accepted, {len(server.confirmed)} confirmed")
    return "\n".join(lines)
