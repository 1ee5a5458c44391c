"""The algorithm of the previous system, which hotelagent has replaced, for holding a room with keys in Redis.

The algorithm reads all keys of the room, compares the dates, and then sets a key. Between the read and the set, another
caller can set a key for overlapping dates.
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
