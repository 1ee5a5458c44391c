"""The functions that the benchmarks of holds call to measure hotelagent and other implementations of holds.

The module `contestants` calls these functions in a separate process, in which Django is set up.
"""

import asyncio
import contextlib
import datetime
import itertools
import json
import os
import tempfile
import time
import uuid
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import psycopg
import redis
import redis.asyncio
from django.conf import settings
from django.db import connection

from locks import selectors, services
from locks.nights import Nights
from tenants.access import api_keys
from tenants.context import Tenant, hotel_context, platform_context
from tenants.models import Hotel
from tenants.services import create_hotel
from tests.benchmarks.side_holds_common import FREE_NIGHTS, ROOMS_OF_CALLER, count_calls


def make_hotel(slug: str, rooms: int) -> None:
    """Create a hotel with double rooms."""
    create_hotel(slug=slug, name="Bench")
    with hotel_context(_tenant(slug)):
        services.ensure_rooms({"double": rooms})


def make_keys(slug: str, number: int, file: str) -> None:
    """Create API keys for HTTP clients, and write the keys and the ids of the hotel's rooms to a file."""
    with hotel_context(_tenant(slug)):
        keys = [api_keys.create(name="bench", scopes=["locks:read", "locks:write"])[1] for _ in range(number)]
        rooms = services.ensure_rooms({})["double"]
    Path(file).write_text(json.dumps({"keys": keys, "rooms": rooms}))


# Rates


def hold(slug: str, caller: int, rooms_at_once: int, seconds: float) -> float:
    """Repeatedly acquire and release a hold on `rooms_at_once` rooms. Stop after `seconds` seconds.

    Return the number of repetitions.
    """
    with hotel_context(_tenant(slug)):
        free = _free(slug, caller, rooms_at_once)

        def acquire_and_release() -> None:
            rooms, nights = next(free)
            acquired = services.acquire_hold(rooms=rooms, nights=nights)
            services.release_hold(acquired.id, token=acquired.token)

        return count_calls(acquire_and_release, seconds)


def insert_and_delete(table: str, seconds: float) -> float:
    """Insert and delete rows for `seconds` seconds, and return the number of inserted rows.

    The benchmark compares this number with the number of holds.
    """
    plain = _plain_connection()

    def insert_and_delete_row() -> None:
        key = uuid.uuid4()
        plain.execute(f"INSERT INTO {table} (id, note) VALUES (%s, %s)", (key, "bare"))
        plain.execute(f"DELETE FROM {table} WHERE id = %s", (key,))

    return count_calls(insert_and_delete_row, seconds)


# A single acquire


def acquire(slug: str, times: int) -> float:
    """Return the time in seconds that acquiring a hold takes, excluding the release of the hold."""
    took = 0.0
    with hotel_context(_tenant(slug)):
        free = _free(slug, 0, 1)
        for _ in range(times):
            rooms, nights = next(free)
            started = time.perf_counter()
            acquired = services.acquire_hold(rooms=rooms, nights=nights)
            took += time.perf_counter() - started
            services.release_hold(acquired.id, token=acquired.token)
    return took / times


def messages(slug: str, rooms_at_once: int) -> float:
    """Return the number of network messages that libpq sends to the server when one hold is acquired."""
    with hotel_context(_tenant(slug)), tempfile.TemporaryFile("w+") as trace:
        rooms, nights = next(_free(slug, 0, rooms_at_once))
        connection.ensure_connection()
        pgconn = connection.connection.pgconn
        pgconn.trace(trace.fileno())
        acquired = services.acquire_hold(rooms=rooms, nights=nights)
        pgconn.untrace()
        services.release_hold(acquired.id, token=acquired.token)
        trace.seek(0)
        lines = [line.split("\t") for line in trace]
    return float(sum("F" in fields[:2] for fields in lines))


# The locking algorithm of the original system, which hotelagent replaces


def original_fill(keys: int) -> None:
    """Fill Valkey with lock keys in the format of the original system, which hotelagent replaces."""
    client = _redis()
    client.flushdb()
    first = datetime.date(2030, 1, 1)
    with client.pipeline(transaction=False) as pipe:
        for number in range(keys):
            check_in = first + datetime.timedelta(days=2 * (number // 500))
            check_out = check_in + datetime.timedelta(days=1)
            pipe.set(f"lock:{number % 500}:{check_in}:{check_out}", "x", ex=86_400)
        pipe.execute()


def original(times: int) -> float:
    """Return the time in seconds for acquiring a lock with the algorithm of the previous system.

    The algorithm finds the locks of a room in Redis with SCAN, compares the dates of the locks with the requested
    dates, and acquires a lock with SET NX.
    """
    return asyncio.run(_original(times))


async def _original(times: int) -> float:
    check_in, check_out = "2040-01-01", "2040-01-02"
    async with redis.asyncio.Redis.from_url(settings.REDIS_URL) as client:
        await client.ping()
        started = time.perf_counter()
        for room in range(times):
            async for key in client.scan_iter(match=f"lock:{room}:*"):
                _lock, _room, other_check_in, other_check_out = key.decode().split(":")
                if other_check_in < check_out and check_in < other_check_out:
                    raise RuntimeError("The room is held.")
            await client.set(f"lock:{room}:{check_in}:{check_out}", "x", nx=True, ex=1200)
        took = time.perf_counter() - started
        await client.delete(*(f"lock:{room}:{check_in}:{check_out}" for room in range(times)))
    return took / times


# Availability


def availability(slug: str, times: int) -> float:
    """Return the mean time in seconds that `locks.selectors.availability` takes to find the free rooms of a hotel."""
    with hotel_context(_tenant(slug)):
        nights = _nights_in_a_month(slug)
        started = time.perf_counter()
        for _ in range(times):
            selectors.availability(nights=nights)
        return (time.perf_counter() - started) / times


def availability_query(slug: str, times: int) -> float:
    """Return the time in seconds that a plain SQL query for the available rooms takes without Django."""
    nights = _nights_in_a_month(slug)
    with psycopg.connect(os.environ["BENCH_SUPERUSER_URL"], autocommit=True) as plain:
        plain.execute(f'SET search_path TO "{_tenant(slug).schema}"')
        # This query is as fast as possible, because the index of the exclusion constraint finds the allocations of
        # these nights. All other rooms are available.
        query = f"""
            SELECT id, number, room_type, floor, capacity FROM locks_room WHERE id NOT IN (
                SELECT room_id FROM locks_allocation
                WHERE nights && daterange('{nights.check_in}', '{nights.check_out}')
                AND status IN ('held', 'confirmed', 'closed')
                AND (status <> 'held' OR expires_at > clock_timestamp()))
            ORDER BY room_type, number"""
        plain.execute(query).fetchall()
        started = time.perf_counter()
        for _ in range(times):
            plain.execute(query, prepare=False).fetchall()
        return (time.perf_counter() - started) / times


@cache
def _tenant(slug: str) -> Tenant:
    with platform_context():
        return Hotel.objects.get(slug=slug).tenant


@cache
def _nights_in_a_month(slug: str) -> Nights:
    with hotel_context(_tenant(slug)):
        today = selectors.today()
    return Nights(today + datetime.timedelta(days=30), today + datetime.timedelta(days=33))


@cache
def _free(slug: str, caller: int, rooms_at_once: int) -> Iterator[tuple[list[int], Nights]]:
    """Return an endless iterator of pairs: a list of room ids, and a night on which these rooms are free.

    No other caller uses these rooms.
    """
    rooms = services.ensure_rooms({})["double"][caller * ROOMS_OF_CALLER : (caller + 1) * ROOMS_OF_CALLER]
    tomorrow = selectors.today() + datetime.timedelta(days=1)
    day = datetime.timedelta(days=1)
    nights = [
        Nights(tomorrow + 2 * night * day, tomorrow + (2 * night + 1) * day) for night in range(FREE_NIGHTS)
    ]
    return itertools.cycle(
        (rooms[start : start + rooms_at_once], night)
        for night in nights
        for start in range(0, ROOMS_OF_CALLER, rooms_at_once)
    )


@cache
def _plain_connection() -> "psycopg.Connection[tuple[object, ...]]":
    """Return a connection that uses the same driver, parameter binding and pooler as hotelagent, but not Django."""
    return psycopg.connect(os.environ["DATABASE_URL"], autocommit=True, cursor_factory=psycopg.ClientCursor)


@cache
def _redis() -> "redis.Redis":
    return redis.Redis.from_url(settings.REDIS_URL)


def end() -> None:
    """Close the database connections of this process."""
    with contextlib.suppress(psycopg.Error):
        _plain_connection().close()
    connection.close()
