"""Holding rooms when it is measured, ours and the peers'. Run by `contestants`, with Django set up."""

import asyncio
import contextlib
import datetime
import itertools
import json
import os
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
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

#: Where `holds.py` has put nobody: every second night from tomorrow on is free in each room.
FREE_NIGHTS = 400
#: Rooms that one caller acquires in, no other caller's.
ROOMS_OF_CALLER = 20


def make_hotel(slug: str, rooms: int) -> None:
    create_hotel(slug=slug, name="Bench")
    with hotel_context(_tenant(slug)):
        services.ensure_rooms({"double": rooms})


def make_keys(slug: str, number: int, file: str) -> None:
    """Write down that many keys and the hotel's rooms, for who asks over HTTP."""
    with hotel_context(_tenant(slug)):
        keys = [api_keys.create(name="bench", scopes=["locks:write"])[1] for _ in range(number)]
        rooms = services.ensure_rooms({})["double"]
    Path(file).write_text(json.dumps({"keys": keys, "rooms": rooms}))


# The rate.


def hold(slug: str, caller: int, seconds: float) -> float:
    """How many rooms were held and released again in these seconds."""
    with hotel_context(_tenant(slug)):
        free = _free(slug, caller)

        def once() -> None:
            room, nights = next(free)
            held = services.acquire_hold(rooms=[room], nights=nights)
            services.release_hold(held.id, token=held.token)

        return _count(once, seconds)


def bare(table: str, seconds: float) -> float:
    """How many rows were inserted and deleted again."""
    plain = _plain()

    def once() -> None:
        key = uuid.uuid4()
        plain.execute(f"INSERT INTO {table} (id, note) VALUES (%s, %s)", (key, "bare"))
        plain.execute(f"DELETE FROM {table} WHERE id = %s", (key,))

    return _count(once, seconds)


def _count(once: Callable[[], None], seconds: float) -> float:
    end = time.perf_counter() + seconds
    done = 0
    while time.perf_counter() < end:
        once()
        done += 1
    return float(done)


# One acquire.


def acquire(slug: str, times: int) -> float:
    """Seconds an acquire; giving the room back is not counted."""
    took = 0.0
    with hotel_context(_tenant(slug)):
        free = _free(slug, 0)
        for _ in range(times):
            room, nights = next(free)
            began = time.perf_counter()
            held = services.acquire_hold(rooms=[room], nights=nights)
            took += time.perf_counter() - began
            services.release_hold(held.id, token=held.token)
    return took / times


def original_fill(keys: int) -> None:
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
    """Seconds an acquire as the system did that we take over from: SCAN, compare, SET NX.

    It was asynchronous, and left SCAN's COUNT as it is.
    """
    return asyncio.run(_original(times))


async def _original(times: int) -> float:
    check_in, check_out = "2040-01-01", "2040-01-02"
    async with redis.asyncio.Redis.from_url(settings.REDIS_URL) as client:
        await client.ping()
        began = time.perf_counter()
        for room in range(times):
            async for key in client.scan_iter(match=f"lock:{room}:*"):
                _lock, _room, its_in, its_out = key.decode().split(":")
                if its_in < check_out and check_in < its_out:
                    raise RuntimeError("The room is held.")
            await client.set(f"lock:{room}:{check_in}:{check_out}", "x", nx=True, ex=1200)
        took = time.perf_counter() - began
        await client.delete(*(f"lock:{room}:{check_in}:{check_out}" for room in range(times)))
    return took / times


def messages(slug: str) -> float:
    """How many messages libpq itself says it sent to the server for one acquire."""
    with hotel_context(_tenant(slug)), tempfile.TemporaryFile("w+") as trace:
        room, nights = next(_free(slug, 0))
        connection.ensure_connection()
        raw = connection.connection.pgconn
        raw.trace(trace.fileno())
        held = services.acquire_hold(rooms=[room], nights=nights)
        raw.untrace()
        services.release_hold(held.id, token=held.token)
        trace.seek(0)
        fields = [line.split("\t") for line in trace]
    return float(sum("F" in line[:2] for line in fields))


# What is free.


def availability(slug: str, times: int) -> float:
    with hotel_context(_tenant(slug)):
        nights = _soon(slug)
        began = time.perf_counter()
        for _ in range(times):
            selectors.availability(nights=nights)
        return (time.perf_counter() - began) / times


def availability_bare(slug: str, times: int) -> float:
    """The same rooms from the same tables by a session that is the hotel's own."""
    nights = _soon(slug)
    with psycopg.connect(os.environ["BENCH_SUPERUSER_URL"], autocommit=True) as plain:
        plain.execute(f'SET search_path TO "{_tenant(slug).schema}"')
        # What reads least: the stays of these nights by the index that the constraint keeps, then all rooms but theirs.
        statement = f"""
            SELECT id, number, room_type, floor, capacity FROM locks_room WHERE id NOT IN (
                SELECT room_id FROM locks_allocation
                WHERE nights && daterange('{nights.check_in}', '{nights.check_out}')
                AND status IN ('held', 'confirmed', 'closed')
                AND (status <> 'held' OR expires_at > clock_timestamp()))
            ORDER BY room_type, number"""
        plain.execute(statement).fetchall()
        began = time.perf_counter()
        for _ in range(times):
            plain.execute(statement, prepare=False).fetchall()
        return (time.perf_counter() - began) / times


@cache
def _tenant(slug: str) -> Tenant:
    with platform_context():
        return Hotel.objects.get(slug=slug).tenant


@cache
def _soon(slug: str) -> Nights:
    with hotel_context(_tenant(slug)):
        today = selectors.today()
    return Nights(today + datetime.timedelta(days=30), today + datetime.timedelta(days=33))


@cache
def _free(slug: str, caller: int) -> Iterator[tuple[int, Nights]]:
    """Rooms of this caller with a night on which nobody is there, over and over."""
    rooms = services.ensure_rooms({})["double"][caller * ROOMS_OF_CALLER : (caller + 1) * ROOMS_OF_CALLER]
    tomorrow = selectors.today() + datetime.timedelta(days=1)
    day = datetime.timedelta(days=1)
    nights = [
        Nights(tomorrow + 2 * night * day, tomorrow + (2 * night + 1) * day) for night in range(FREE_NIGHTS)
    ]
    return itertools.cycle((room, night) for night in nights for room in rooms)


@cache
def _plain() -> "psycopg.Connection[tuple[object, ...]]":
    """The same driver, binding and pooler, without Django and without a hotel."""
    return psycopg.connect(os.environ["DATABASE_URL"], autocommit=True, cursor_factory=psycopg.ClientCursor)


@cache
def _redis() -> "redis.Redis":
    return redis.Redis.from_url(settings.REDIS_URL)


def end() -> None:
    with contextlib.suppress(psycopg.Error):
        _plain().close()
    connection.close()
