"""The callers of the race tests. In each round all callers try to hold nights of the same few days."""

import datetime
import os
import random
import signal
import threading
from collections.abc import Callable

import redis
from django.conf import settings
from django.db import connection

from locks import services
from locks.errors import RoomContention, RoomUnavailable
from locks.nights import Nights
from tenants.context import Actor, actor_context, hotel_context, platform_context
from tenants.models import Hotel
from tests.races import original
from tests.races.crowd import Granted, Plan

#: The number of nights on which the requests of one round arrive, and the maximum number of nights of one request.
WINDOW = 4
LONGEST = 3

Acquire = Callable[[int, Nights], str | None]


def run(
    plan: Plan, process: int, number: int, start: threading.Barrier, report: Callable[[Granted], None]
) -> None:
    name = f"{process}-{number}"
    kills_its_process = process < plan.killed_processes and number == 0
    rng = random.Random(name)  # noqa: S311 - not a secret
    with platform_context():
        hotel = Hotel.objects.get(slug="alpha")
    actor = Actor(kind="key", id=name, label="caller")
    acquire = ACQUIRE[plan.algorithm]()
    try:
        with hotel_context(hotel), actor_context(actor):
            for window in range(plan.rounds):
                room, nights = random_request(plan, window, rng)
                start.wait(timeout=60)
                held = acquire(room, nights)
                if kills_its_process and window == plan.rounds // 2:
                    # The process ends while its other threads send requests, and before this caller reports its hold.
                    os.kill(os.getpid(), signal.SIGKILL)
                if held is not None:
                    report(Granted(room, nights.check_in.isoformat(), nights.check_out.isoformat(), held))
    finally:
        connection.close()


def random_request(plan: Plan, window: int, rng: random.Random) -> tuple[int, Nights]:
    first = datetime.date.fromisoformat(plan.first_night)
    # The dates of successive rounds overlap, so that requests also compete with the holds of the previous round.
    start = window * (WINDOW - 1) + rng.randrange(WINDOW)
    check_in = first + datetime.timedelta(days=start)
    nights = Nights(check_in, check_in + datetime.timedelta(days=rng.randint(1, LONGEST)))
    return rng.choice(plan.rooms), nights


def _ours() -> Acquire:
    def acquire(room: int, nights: Nights) -> str | None:
        try:
            return str(services.acquire_hold(rooms=[room], nights=nights).id)
        except (RoomUnavailable, RoomContention):
            return None

    return acquire


def _original() -> Acquire:
    client = redis.Redis.from_url(settings.REDIS_URL)
    return lambda room, nights: original.acquire(client, room, nights)


ACQUIRE: dict[str, Callable[[], Acquire]] = {"ours": _ours, "original": _original}
