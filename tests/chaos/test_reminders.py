"""Each reminder goes once, whatever dies. `make chaos` is the long form: 10,000 reminders over 50 hotels.

What is certain is compared with what the mail server knows. A mail whose answer nobody lived to store may be
`unknown`, one a slot of what was killed; no mail is ever taken twice, and none is lost.
"""

import os
import random
from collections.abc import Callable

import pytest

from tests import servers
from tests.chaos.filling import EVERY, REFUSED_FOR_GOOD, RULES
from tests.chaos.mails import Mails, mails
from tests.chaos.town import Found, Town, town

REMINDERS = int(os.environ.get("CHAOS_REMINDERS", "300"))
HOTELS = int(os.environ.get("CHAOS_HOTELS", "5"))
SEED = int(os.environ.get("CHAOS_SEED", "1"))
LONG = REMINDERS > 1000
QUIET = 90.0  # seconds without a mail after which something must be wrong, on a machine with much else to do

Act = tuple[str, Callable[[Town], None]]
ACTS: list[Act] = [
    ("the mail server takes a mail and hangs up", Town.drop_after_data),
    ("one process of a pool is killed", Town.kill_one_process),
    ("Valkey is emptied", Town.flush_valkey),
    ("the mail server closes for a moment", Town.close_for_a_moment),
    ("a worker with processes is killed", lambda town: town.kill_worker("prefork")),
    ("PostgreSQL is restarted", Town.restart_postgres),
    ("the mail server hangs", Town.hang),
    ("the leading beat is killed", Town.kill_beat),
    ("a worker with threads is killed", lambda town: town.kill_worker("threads")),
    ("Valkey is killed", Town.restart_valkey),
]


@pytest.mark.timeout(900 if LONG else 300)
def test_each_reminder_goes_once_whatever_dies() -> None:
    if servers.find_pgbouncer() is None:
        servers.skip_or_fail_in_ci("pgbouncer")
    with mails() as server, town(server, hotels=HOTELS, reminders=REMINDERS) as place:
        place.open()
        for at, (name, act) in schedule():
            place.await_progress(lambda: server.taken.total() >= at, within=QUIET)  # noqa: B023 - awaited here
            act(place)
            place.done[name] += 1
        place.await_progress(place.is_settled, within=QUIET)
        found = place.found()
        print(told(place, server, found))
        judge(place, server, found)


def schedule() -> list[tuple[int, Act]]:
    """At how many mails what happens: everything once, in order; in the long form many times more, at random."""
    chance = random.Random(SEED)  # noqa: S311 - that it can be had again is the point
    acts = ACTS + [chance.choice(ACTS) for _ in range(40 if LONG else 0)]
    middle = REMINDERS * 0.8
    places = [int(middle * (number + 1) / (len(acts) + 1)) for number in range(len(acts))]
    return list(zip(places, acts, strict=True))


def judge(place: Town, server: Mails, found: Found) -> None:
    sent, unknown, failed = (found.by_status.get(name, set()) for name in ("sent", "unknown", "failed"))
    assert set(found.by_status) <= {"sent", "unknown", "failed"}  # everything that was due has an end
    assert found.queued == 0
    assert sum(map(len, found.by_status.values())) == _total()
    assert server.taken.most_common(1)[0][1] == 1  # nobody twice
    assert len(failed) == _refused()
    assert not failed & set(server.taken)

    answered = set(server.answered)
    assert sent <= answered
    assert answered <= sent | unknown
    assert set(server.taken) - answered <= unknown
    assert len(unknown - (set(server.taken) - answered)) <= place.torn
    assert found.told.keys() == sent  # and each stands once in its hotel's trail
    assert set(found.told.values()) == {1}


def _total() -> int:
    return REMINDERS // HOTELS // RULES * RULES * HOTELS


def _refused() -> int:
    return (
        RULES
        * HOTELS
        * sum(guest % EVERY == REFUSED_FOR_GOOD for guest in range(REMINDERS // HOTELS // RULES))
    )


def told(place: Town, server: Mails, found: Found) -> str:
    lines = [f"{number} x {name}" for name, number in place.done.items()]
    ends = {name: len(ids) for name, ids in found.by_status.items()}
    twice = sum(count > 1 for count in server.taken.values())
    lost = _total() - sum(ends.values())
    lines.append(f"{_total()} reminders over {HOTELS} hotels: {ends}, lost {lost}, taken twice {twice}")
    lines.append(f"the server took {len(server.taken)} mails and answered to {len(server.answered)} of them")
    return "\n".join(lines)
