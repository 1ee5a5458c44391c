"""The functions that use `peer_holds`. The benchmark of holds compares hotelagent with this Django project.

The module `contestants` starts a process with the settings of `peer_holds`, and calls the functions there.
"""

import datetime
import hashlib
import secrets
import uuid
from itertools import cycle

from django.core.management import call_command
from django.db import connection, transaction
from django.utils import timezone

from tests.benchmarks.peer_holds.models import Hold, Room
from tests.benchmarks.side_holds_common import FREE_NIGHTS, ROOMS_OF_CALLER, count_calls

LIFETIME = datetime.timedelta(seconds=1200)
MAX_HOLDS = 500


def prepare(rooms: int) -> None:
    """Create the tables and the rooms of `peer_holds`."""
    call_command("migrate", run_syncdb=True, verbosity=0)
    Room.objects.bulk_create(Room(number=str(number)) for number in range(rooms))


def hold(caller: int, rooms_at_once: int, seconds: float) -> float:
    """Repeatedly acquire and release a hold on `rooms_at_once` rooms, for `seconds` seconds.

    Return the number of repetitions.
    """
    rooms = list(Room.objects.order_by("id").values_list("id", flat=True))
    own = rooms[caller * ROOMS_OF_CALLER : (caller + 1) * ROOMS_OF_CALLER]
    tomorrow = timezone.now().date() + datetime.timedelta(days=1)
    free = cycle(
        (own[start : start + rooms_at_once], tomorrow + datetime.timedelta(days=2 * night))
        for night in range(FREE_NIGHTS)
        for start in range(0, ROOMS_OF_CALLER, rooms_at_once)
    )

    def acquire_and_release() -> None:
        chosen, check_in = next(free)
        group_id, token = acquire(chosen, check_in, check_in + datetime.timedelta(days=1), f"key:{caller}")
        release(group_id, token)

    return count_calls(acquire_and_release, seconds)


def hold_in_other_hotels(caller: int, callers: int, seconds: float) -> float:
    """Acquire and release rooms for `seconds` seconds, each time in a different hotel. Return the number of holds.

    The rooms of all hotels are in the same table. Each hotel has one room per caller.
    """
    own = cycle(list(Room.objects.order_by("id").values_list("id", flat=True))[caller::callers])
    check_in = timezone.now().date() + datetime.timedelta(days=1)

    def acquire_and_release() -> None:
        group_id, token = acquire(
            [next(own)], check_in, check_in + datetime.timedelta(days=1), f"key:{caller}"
        )
        release(group_id, token)

    return count_calls(acquire_and_release, seconds)


def acquire(
    rooms: list[int], check_in: datetime.date, check_out: datetime.date, holder: str
) -> tuple[uuid.UUID, str]:
    """Hold rooms for some nights as one group of holds. Return the id of the group and the token of its owner."""
    token, group_id = secrets.token_urlsafe(32), uuid.uuid4()
    with transaction.atomic():
        now = timezone.now()
        overlapping = Hold.objects.filter(
            room_id__in=rooms, nights__overlap=(check_in, check_out), status="held", expires_at__lte=now
        )
        overlapping.update(status="expired")
        live = Hold.objects.filter(holder=holder, status="held", expires_at__gt=now)
        if live.count() + len(rooms) > MAX_HOLDS:
            raise ValueError("too many holds")
        for room in rooms:
            Hold.objects.create(
                group_id=group_id,
                room_id=room,
                nights=(check_in, check_out),
                status="held",
                token_digest=hashlib.sha256(token.encode()).hexdigest(),
                holder=holder,
                expires_at=now + LIFETIME,
            )
    return group_id, token


def release(group_id: uuid.UUID, token: str) -> None:
    """Release the holds of a group. Raises PermissionError if `token` is not the token of the group."""
    digest = hashlib.sha256(token.encode()).hexdigest()
    with transaction.atomic():
        for hold_ in Hold.objects.select_for_update().filter(group_id=group_id, status="held").order_by("id"):
            if hold_.token_digest != digest:
                raise PermissionError
            hold_.status = "released"
            hold_.save(update_fields=["status"])


def end() -> None:
    """Close the database connection of this process."""
    connection.close()
