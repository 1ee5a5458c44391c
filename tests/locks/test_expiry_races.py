"""Tests of holds that expire while a request by the owner waits for a lock of another transaction."""

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


def call_until_it_waits(hotel: Hotel, operation: Callable[[], Hold]) -> "Future[Hold]":
    """Call the operation on another thread. Return its future as soon as the thread's connection waits for a lock."""
    outcome: Future[Hold] = Future()

    def run() -> None:
        try:
            with hotel_context(hotel):
                outcome.set_result(operation())
        except BaseException as error:  # noqa: BLE001 - passed on to the test
            outcome.set_exception(error)
        finally:
            connection.close()

    threading.Thread(target=run).start()
    wait_until(LOCK_AWAITED, hotel)
    return outcome


def wait_until(condition: str, hotel: Hotel, *params: object) -> None:
    """Wait until the SQL query `condition` returns true in the schema of the hotel."""
    with psycopg.connect(settings.DATABASE_DIRECT_URL, autocommit=True) as observer:
        observer.execute(f'SET search_path TO "{hotel.tenant.schema}"')
        while observer.execute(condition, params).fetchone() != (True,):
            time.sleep(0.01)


# pg_locks does not show the database of a row lock, so the condition also reads pg_stat_activity.
LOCK_AWAITED = (
    "SELECT EXISTS (SELECT FROM pg_locks JOIN pg_stat_activity USING (pid) "
    "WHERE NOT granted AND datname = current_database())"
)
HOLD_EXPIRED = "SELECT expires_at <= clock_timestamp() FROM locks_allocation WHERE id = %s"


@pytest.mark.parametrize("name", ["extend", "confirm"])
def test_operation_waiting_for_a_lock_raises_hold_expired_if_the_hold_expires(
    in_hotel: Hotel, hold: Hold, name: str
) -> None:
    expire_in_two_seconds()
    with other_session(in_hotel) as other:
        other.execute("SELECT FROM locks_allocation WHERE id = %s FOR UPDATE", (hold.id,))
        waiting = call_until_it_waits(in_hotel, operation(name, hold))
        wait_until(HOLD_EXPIRED, in_hotel, hold.id)
        other.rollback()  # the hold has expired, but the transaction has changed nothing
    with pytest.raises(HoldExpired):
        waiting.result(30)
    assert Allocation.objects.get(id=hold.id).status == "held"


@pytest.mark.parametrize("name", ["extend", "confirm"])
def test_operation_during_the_expiry_of_the_hold_raises_hold_expired(
    in_hotel: Hotel, hold: Hold, name: str
) -> None:
    expire(hold.id)
    with transaction.atomic():
        assert services.expire_holds(ids=[hold.id]) == [hold.id]
        # Until this transaction ends, the request of the owner sees the status `held`.
        waiting = call_until_it_waits(in_hotel, operation(name, hold))
    with pytest.raises(HoldExpired):
        waiting.result(30)
    assert Allocation.objects.get(id=hold.id).status == "expired"
    assert events_of("hold.confirmed") == []


def test_acquisition_during_the_confirmation_of_a_hold_raises_room_unavailable(
    in_hotel: Hotel, hold: Hold, rooms: list[int], nights: SomeNights
) -> None:
    expire_in_two_seconds()
    with transaction.atomic():
        services.confirm_hold(hold.id, token=hold.token, fencing_token=hold.fencing_token or 0)
        wait_until(HOLD_EXPIRED, in_hotel, hold.id)
        waiting = call_until_it_waits(
            in_hotel, lambda: services.acquire_hold(rooms=rooms[:1], nights=nights(3, 2))
        )
    with pytest.raises(RoomUnavailable):
        waiting.result(30)
    assert Allocation.objects.get(id=hold.id).status == "confirmed"
    assert events_of("hold.expired") == []


def expire_in_two_seconds() -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE locks_allocation SET expires_at = clock_timestamp() + interval '2 seconds'")


def operation(name: str, hold: Hold) -> Callable[[], Hold]:
    if name == "extend":
        return lambda: services.extend_hold(hold.id, token=hold.token)
    return lambda: services.confirm_hold(hold.id, token=hold.token, fencing_token=hold.fencing_token or 0)
