"""Test that a deployment recovers from faults of its parts, and that nothing is lost that a client was promised.

Three clients hold rooms, store reservations and read the availability while one part after the other is killed, paused
or slowed. `make chaos` causes all faults and prints the table of `deploy/README.md`, and `make test` three of them.
"""

import os
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
import pytest

from hotelagent.embedded.servers import postgres
from tests import servers
from tests.chaos.hotels import RULES
from tests.faults.catalog import FAULTS, SHORT, Fault
from tests.faults.clients import OPERATIONS, Clients
from tests.faults.site import Site

IS_LONG = os.environ.get("FAULTS") == "all"
#: Seconds for which a fault lasts.
DURATION = 5.0 if IS_LONG else 1.0
#: Seconds within which the deployment must work again after the end of a fault, on a machine that is busy.
RECOVERY = 60.0


@dataclass(frozen=True)
class Row:
    """A row of the table of results. The times are seconds."""

    fault: str
    failures: Counter[str]
    slowest: float
    recovered: dict[str, float]


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    if servers.find_pgbouncer() is None:
        servers.skip_or_fail_in_ci("pgbouncer")
    with Site() as site:
        yield site


@pytest.mark.timeout(3600 if IS_LONG else 300)
def test_deployment_recovers_from_each_fault_and_keeps_all_acknowledged_writes(site: Site) -> None:
    rows = []
    with Clients(site) as clients:
        wait_until_all_work(site, clients, after=time.monotonic())
        for fault in FAULTS if IS_LONG else SHORT:
            if fault.is_possible(site):
                rows.append(cause(fault, site, clients))
                print(line(rows[-1]), flush=True)
            else:
                print(f"| {fault.name} | not tried: {fault.reason} | | | |")
    assert len(rows) >= len(SHORT)
    check_holds(site, clients)
    check_reminders(site, clients)


def cause(fault: Fault, site: Site, clients: Clients) -> Row:
    """Cause a fault and end it. Return what the clients saw, and when each operation worked again."""
    began = time.monotonic()
    fault.begin(site)
    try:
        time.sleep(DURATION)
    finally:
        fault.end(site)
    ended = time.monotonic()
    recovered = wait_until_all_work(site, clients, after=ended)
    now = time.monotonic()
    return Row(fault.name, clients.failures(began, now), clients.slowest(began, now), recovered)


def wait_until_all_work(site: Site, clients: Clients, *, after: float) -> dict[str, float]:
    """Wait until each operation has succeeded, and the reminder of a new reservation has been sent.

    Return the seconds from `after` until each of these.
    """
    recovered: dict[str, float] = {}
    while len(recovered) <= len(OPERATIONS):
        for operation in OPERATIONS:
            if operation not in recovered and (success := clients.first_success(operation, after)):
                recovered[operation] = success - after
        if "reminder" not in recovered and _reminder_was_sent(site, clients, after=after):
            recovered["reminder"] = time.monotonic() - after
        assert time.monotonic() - after < RECOVERY, (
            f"after {RECOVERY:g} s only {recovered} work; failures: {clients.failures(after, time.monotonic())}\n"
            f"{site.log_tail()}"
        )
        time.sleep(0.02)
    return recovered


def _reminder_was_sent(site: Site, clients: Clients, *, after: float) -> bool:
    """Return whether a reservation that was stored after this time has got its reminders."""
    addresses = {message["X-Envelope-To"] for message in site.mail.accepted[-50:]}
    return any(
        f"{external_id}@example.com" in addresses
        for external_id, stored in clients.reservations[-200:]
        if stored >= after
    )


def line(row: Row) -> str:
    failures = ", ".join(f"{number} x {name}" for name, number in row.failures.most_common()) or "none"
    recovered = max(row.recovered[operation] for operation in OPERATIONS)
    return f"| {row.fault} | {failures} | {row.slowest:.1f} | {recovered:.1f} | {row.recovered['reminder']:.1f} |"


def check_holds(site: Site, clients: Clients) -> None:
    """Check that each acknowledged hold and release is stored, and that no hold was made twice."""
    with psycopg.connect(site.servers.postgres.url(postgres.SUPERUSER)) as connection:
        stored = {
            str(id_): status
            for id_, status in connection.execute("SELECT id, status FROM hotel_alpha.locks_allocation")
        }
    assert len(clients.holds) > len(SHORT)
    assert set(clients.holds) <= stored.keys()
    assert {stored[id_] for id_ in clients.released} == {"released"}
    # A request may have been stored whose response the client did not get before its end.
    assert len(stored) - len(clients.holds) <= 1


def check_reminders(site: Site, clients: Clients) -> None:
    """Check that each acknowledged reservation is stored, and that no reminder was sent twice or forgotten."""
    query = "SELECT count(*) FROM hotel_alpha.reminders_reminder WHERE status IN ('scheduled', 'sending')"
    with psycopg.connect(site.servers.postgres.url(postgres.SUPERUSER), autocommit=True) as connection:
        deadline = time.monotonic() + RECOVERY
        while connection.execute(query).fetchone() != (0,):
            assert time.monotonic() < deadline, site.log_tail()
            time.sleep(0.1)
        numbers = {
            row[0] for row in connection.execute("SELECT external_id FROM hotel_alpha.reminders_reservation")
        }
        statuses: dict[str, int] = dict(
            connection.execute(
                "SELECT status, count(*) FROM hotel_alpha.reminders_reminder GROUP BY status"
            ).fetchall()
        )
    assert {external_id for external_id, _stored in clients.reservations} <= numbers
    sent = Counter(message["Message-ID"] for message in site.mail.accepted)
    assert set(sent.values()) == {1}
    assert statuses.keys() <= {"sent", "unknown"}, statuses
    assert sum(statuses.values()) == RULES * len(numbers)
    # A worker that is killed between the message and its confirmation leaves the status `unknown`.
    assert statuses["sent"] <= len(sent) <= statuses["sent"] + statuses.get("unknown", 0)
    print(
        f"{len(clients.holds)} holds, {len(numbers)} reservations, reminders: {statuses}, 0 lost, 0 sent twice"
    )
