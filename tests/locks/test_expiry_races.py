"""Tests of holds that expire while their owner uses them. Another transaction locks the row until then."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.db import connection, transaction

from locks import services
from locks.errors import HoldExpired, RoomUnavailable
from locks.holds import Hold
from locks.models import Allocation
from tenants.context import hotel_context
from tenants.models import Hotel
from tests.locks.conftest import SomeNights
from tests.locks.helpers import events_of, expire

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(60)]


@pytest.fixture
def hold(rooms: list[int], nights: SomeNights) -> Hold:
    return services.acquire_hold(rooms=rooms[:1], nights=nights(3, 2))


@contextmanager
def other_session(hotel: Hotel) -> Iterator["psycopg.Connection[Any]"]:
    with psycopg.connect(settings.DATABASE_DIRECT_URL) as other:
        other.execute(f'SET search_path TO "{hotel.tenant.schema}"')
        yield other


def meanwhile(hotel: Hotel, act: Callable[[], Hold]) -> "Future[Hold]":
    """Call the function on another connection, and return as soon as that connection waits for a lock."""
    outcome: Future[Hold] = Future()

    def run() -> None:
        try:
            with hotel_context(hotel):
                outcome.set_result(act())
        except BaseException as error:  # noqa: BLE001 - passed on to the test
            outcome.set_exception(error)
        finally:
            connection.close()

    threading.Thread(target=run).start()
    until(WAITS, hotel)
    return outcome


def until(question: str, hotel: Hotel, *params: object) -> None:
    """Repeat the query until it returns true, or until the time limit of the test ends it."""
    with psycopg.connect(settings.DATABASE_DIRECT_URL, autocommit=True) as asking:
        asking.execute(f'SET search_path TO "{hotel.tenant.schema}"')
        while asking.execute(question, params).fetchone() != (True,):
            time.sleep(0.01)


# Sessions of this database that wait for a lock. `pg_locks` names no database for row locks.
WAITS = (
    "SELECT EXISTS (SELECT FROM pg_locks JOIN pg_stat_activity USING (pid) "
    "WHERE NOT granted AND datname = current_database())"
)
LAPSED = "SELECT expires_at <= clock_timestamp() FROM locks_allocation WHERE id = %s"


@pytest.mark.parametrize("what", ["extend", "confirm"])
def test_who_waits_for_the_row_is_judged_by_the_time_when_they_have_it(
    in_hotel: Hotel, hold: Hold, what: str
) -> None:
    last_moment()
    with other_session(in_hotel) as other:
        other.execute("SELECT FROM locks_allocation WHERE id = %s FOR UPDATE", (hold.id,))
        waiting = meanwhile(in_hotel, act(what, hold))
        until(LAPSED, in_hotel, hold.id)
        other.rollback()  # the other transaction changed nothing
    with pytest.raises(HoldExpired):
        waiting.result(30)
    assert Allocation.objects.get(id=hold.id).status == "held"


@pytest.mark.parametrize("what", ["extend", "confirm"])
def test_a_hold_that_is_being_expired_is_expired_for_its_owner(
    in_hotel: Hotel, hold: Hold, what: str
) -> None:
    expire(hold.id)
    with transaction.atomic():
        assert services.expire_holds(ids=[hold.id]) == [hold.id]
        # Until this transaction ends, the request of the owner sees the status `held`.
        waiting = meanwhile(in_hotel, act(what, hold))
    with pytest.raises(HoldExpired):
        waiting.result(30)
    assert Allocation.objects.get(id=hold.id).status == "expired"
    assert events_of("hold.confirmed") == []


def test_a_rival_who_sees_the_hold_lapse_waits_for_its_confirmation_and_is_refused(
    in_hotel: Hotel, hold: Hold, rooms: list[int], nights: SomeNights
) -> None:
    last_moment()
    with transaction.atomic():
        services.confirm_hold(hold.id, token=hold.token, fencing_token=hold.fencing_token or 0)
        until(LAPSED, in_hotel, hold.id)
        waiting = meanwhile(in_hotel, lambda: services.acquire_hold(rooms=rooms[:1], nights=nights(3, 2)))
    with pytest.raises(RoomUnavailable):
        waiting.result(30)
    assert Allocation.objects.get(id=hold.id).status == "confirmed"
    assert events_of("hold.expired") == []


def last_moment() -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE locks_allocation SET expires_at = clock_timestamp() + interval '2 seconds'")


def act(what: str, hold: Hold) -> Callable[[], Hold]:
    if what == "extend":
        return lambda: services.extend_hold(hold.id, token=hold.token)
    return lambda: services.confirm_hold(hold.id, token=hold.token, fencing_token=hold.fencing_token or 0)
