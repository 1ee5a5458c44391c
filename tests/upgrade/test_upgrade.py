"""Tests of rolling upgrades: two releases run at the same time on one database, with a migration in between.

`make upgrade` runs each step of the rename of a column, and `make test` the step with most changes of the schema.
"""

import socket
from collections import Counter

import pytest

from tests import servers
from tests.chaos.hotels import RULES, create_reminders, read_due_queue_every_second
from tests.tenants.sql import query
from tests.upgrade.load import Load
from tests.upgrade.stack import HOTELS, IS_LONG, StartRelease, wait_until

STEPS = [("first", "expand"), ("expand", "backfill"), ("backfill", "contract"), ("contract", "drop")]
#: Number of responses before the update, between its steps, and after it.
RESPONSES = 100 if IS_LONG else 15
#: Number of reminders of each hotel, which are due at the start.
REMINDERS = 400 if IS_LONG else 40

pytestmark = [pytest.mark.pooler, pytest.mark.django_db(transaction=True), pytest.mark.timeout(600)]


def count(table: str, condition: str) -> int:
    """Return the number of rows of both hotels that meet the condition."""
    return sum(
        int(query(f"SELECT count(*) FROM hotel_{slug}.{table} WHERE {condition}")[0][0]) for slug in HOTELS
    )


@pytest.mark.parametrize("step", STEPS if IS_LONG else STEPS[1:2])
def test_update_to_the_next_release_fails_no_request_and_loses_no_task(
    step: tuple[str, str],
    start_release: StartRelease,
    listener: socket.socket,
    mail: servers.MailServer,
    request: pytest.FixtureRequest,
) -> None:
    old_name, new_name = step
    read_due_queue_every_second()
    for number, fixture in enumerate(("hotel", "other_hotel")):
        create_reminders(request.getfixturevalue(fixture), number, REMINDERS)
    old, new = start_release(old_name), start_release(new_name)
    old.migrate()
    old.start("web", "worker", "beat")
    with Load(listener.getsockname()[1]) as load:
        load.wait_for_responses(RESPONSES, release=old_name)
        new.migrate()
        load.wait_for_responses(RESPONSES, release=old_name)
        new.start("web", "worker", "beat")
        load.wait_for_responses(RESPONSES, release=new_name)
        statuses = old.terminate()
        load.wait_for_responses(RESPONSES, release=new_name)
    assert load.failures == []
    assert statuses == {"web": 0, "worker": 0, "beat": 0}
    wait_until(lambda: count("notes_note", "NOT confirmed") == 0, what="all tasks have run")
    wait_until(
        lambda: len(mail.accepted) >= REMINDERS // RULES * RULES * len(HOTELS), what="all reminders were sent"
    )
    assert new.terminate() == {"web": 0, "worker": 0, "beat": 0}
    assert count("notes_note", "confirmed") == load.created
    sent = Counter(message["Message-ID"] for message in mail.accepted)
    assert len(sent) == REMINDERS // RULES * RULES * len(HOTELS)
    assert set(sent.values()) == {1}
    assert count("reminders_reminder", "status <> 'sent'") == 0
    print(
        f"\n{old_name} to {new_name}: {sum(load.releases.values())} responses ({dict(load.releases)}), 0 failed, "
        f"slowest {load.slowest:.1f} s; {load.created} tasks, 0 lost; {len(sent)} reminders, each sent once"
    )


def test_rename_of_a_column_in_one_step_makes_requests_of_the_old_release_fail(
    start_release: StartRelease, listener: socket.socket
) -> None:
    old, naive = start_release("first"), start_release("naive")
    old.migrate()
    old.start("web")
    with Load(listener.getsockname()[1]) as load:
        load.wait_for_responses(RESPONSES, release="first")
        assert load.failures == []
        naive.migrate()
        wait_until(lambda: load.failures, what="a request has failed")
    assert "500" in load.failures[0]
