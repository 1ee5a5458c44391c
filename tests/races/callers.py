"""A caller, which tries in each round to hold some nights of the same window as all other callers."""

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

#: Nights in a round's window, and the maximum that a caller requests: so few that most requests overlap.
WINDOW = 4
LONGEST = 3

Take = Callable[[int, Nights], str | None]


def run(
    plan: Plan, process: int, number: int, start: threading.Barrier, say: Callable[[Granted], None]
) -> None:
    name = f"{process}-{number}"
    killer = process < plan.doomed and number == 0
    chance = random.Random(name)  # noqa: S311 - not a secret
    with platform_context():
        hotel = Hotel.objects.get(slug="alpha")
    actor = Actor(kind="key", id=name, label="caller")
    take = TAKE[plan.algorithm]()
    try:
        with hotel_context(hotel), actor_context(actor):
            for window in range(plan.rounds):
                room, nights = wish(plan, window, chance)
                start.wait(timeout=60)
                held = take(room, nights)
                if killer and window == plan.rounds // 2:
                    # Other threads are sending requests now, and this caller may have a hold that no file lists.
                    os.kill(os.getpid(), signal.SIGKILL)
                if held is not None:
                    say(Granted(room, nights.check_in.isoformat(), nights.check_out.isoformat(), held))
    finally:
        connection.close()


def wish(plan: Plan, window: int, chance: random.Random) -> tuple[int, Nights]:
    first = datetime.date.fromisoformat(plan.first_night)
    # Windows of consecutive rounds overlap, so that a round also meets the holds of the previous one.
    start = window * (WINDOW - 1) + chance.randrange(WINDOW)
    check_in = first + datetime.timedelta(days=start)
    nights = Nights(check_in, check_in + datetime.timedelta(days=chance.randint(1, LONGEST)))
    return chance.choice(plan.rooms), nights


def _ours() -> Take:
    def take(room: int, nights: Nights) -> str | None:
        try:
            return str(services.acquire_hold(rooms=[room], nights=nights).id)
        except (RoomUnavailable, RoomContention):
            return None

    return take


def _original() -> Take:
    client = redis.Redis.from_url(settings.REDIS_URL)
    return lambda room, nights: original.acquire(client, room, nights)


TAKE: dict[str, Callable[[], Take]] = {"ours": _ours, "original": _original}
