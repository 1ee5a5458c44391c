"""How the system that we take over from held rooms: look at all keys, compare dates, then set.

Between the look and the set somebody else may set a key for other dates that overlap: NX only keeps the same
dates from being set twice.
"""

import uuid

import redis

from locks.nights import Nights

TTL = 1200


def acquire(client: "redis.Redis", room: int, nights: Nights) -> str | None:
    for key in client.scan_iter(match=f"lock:{room}:*", count=100):
        _lock, _room, check_in, check_out = key.decode().split(":")
        if check_in < nights.check_out.isoformat() and nights.check_in.isoformat() < check_out:
            return None
    token = str(uuid.uuid4())
    key = f"lock:{room}:{nights.check_in}:{nights.check_out}"
    return token if client.set(key, token, nx=True, ex=TTL) else None
