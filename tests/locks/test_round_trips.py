"""Tests of the number of statements that an operation on a hold sends, because each statement is a round trip."""

from collections.abc import Callable

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from locks import services
from locks.holds import Hold
from tests.locks.conftest import SomeNights
from tests.locks.helpers import expire

pytestmark = pytest.mark.django_db(transaction=True)


def statements(operation: Callable[[], object]) -> list[str]:
    """Return the SQL statements that the operation sends, without their arguments.

    BEGIN is listed too, because each BEGIN is another round trip.
    """
    with CaptureQueriesContext(connection) as queries:
        operation()
    return [query["sql"].split("(")[0].strip() for query in queries]


@pytest.mark.parametrize("number_of_rooms", [1, 3])
def test_each_operation_on_a_hold_or_a_group_is_one_round_trip(
    rooms: list[int], nights: SomeNights, number_of_rooms: int
) -> None:
    holds: list[Hold] = []

    def acquire() -> None:
        holds.append(services.acquire_hold(rooms=rooms[:number_of_rooms], nights=nights(1)))

    def acquire_of_type() -> None:
        holds.append(
            services.acquire_hold_of_type(room_type="double", nights=nights(1), count=number_of_rooms)
        )

    assert statements(acquire) == ["SELECT locks_acquire"]
    [hold] = holds
    assert statements(lambda: services.extend_hold(hold.id, token=hold.token)) == ["SELECT locks_extend"]
    assert statements(lambda: services.release_hold(hold.id, token=hold.token)) == ["SELECT locks_end"]
    assert statements(acquire_of_type) == ["SELECT locks_acquire"]
    hold = holds[-1]
    confirm = statements(
        lambda: services.confirm_hold(hold.id, token=hold.token, fencing_token=hold.fencing_token or 0)
    )
    assert confirm == ["SELECT locks_confirm"]
    # Before this statement, the service locks the stays and checks that they belong to no reservation.
    assert "SELECT locks_end" in statements(lambda: services.cancel_confirmed_hold(hold.id, token=hold.token))


def test_acquisition_that_ends_an_expired_hold_is_one_round_trip(
    rooms: list[int], nights: SomeNights
) -> None:
    expire(services.acquire_hold(rooms=rooms[:1], nights=nights(1)).id)
    acquire = statements(lambda: services.acquire_hold(rooms=rooms[:1], nights=nights(1)))
    assert acquire == ["SELECT locks_acquire"]
