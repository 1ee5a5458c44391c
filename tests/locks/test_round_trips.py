"""Tests of the number of SQL statements of a hold, because each is a round trip to the database."""

from collections.abc import Callable

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from locks import services
from locks.holds import Hold
from tests.locks.conftest import SomeNights
from tests.locks.helpers import expire

pytestmark = pytest.mark.django_db(transaction=True)


def statements(act: Callable[[], object]) -> list[str]:
    """Return the statements that are sent to the database.

    Each is a round trip, except BEGIN, which is sent with the next.
    """
    with CaptureQueriesContext(connection) as queries:
        act()
    return [query["sql"].split("(")[0].strip() for query in queries]


def test_a_hold_s_whole_life_is_one_round_trip_a_step(rooms: list[int], nights: SomeNights) -> None:
    made: list[Hold] = []
    acquire = statements(lambda: made.append(services.acquire_hold(rooms=rooms[:1], nights=nights(1))))
    [hold] = made
    assert acquire == ["SELECT locks_acquire"]
    assert statements(lambda: services.extend_hold(hold.id, token=hold.token)) == ["SELECT locks_extend"]
    assert statements(lambda: services.release_hold(hold.id, token=hold.token)) == ["SELECT locks_end"]
    any_room = statements(
        lambda: made.append(services.acquire_hold_of_type(room_type="double", nights=nights(1)))
    )
    assert any_room == ["SELECT locks_acquire"]
    hold = made[-1]
    confirm = statements(
        lambda: services.confirm_hold(hold.id, token=hold.token, fencing_token=hold.fencing_token or 0)
    )
    assert confirm == ["SELECT locks_confirm"]


def test_what_has_lapsed_gives_way_in_the_same_round_trip(rooms: list[int], nights: SomeNights) -> None:
    expire(services.acquire_hold(rooms=rooms[:1], nights=nights(1)).id)
    acquire = statements(lambda: services.acquire_hold(rooms=rooms[:1], nights=nights(1)))
    assert acquire == ["SELECT locks_acquire"]
