"""Acquires holds with the database function `locks_acquire`. An exclusion constraint prevents overlaps."""

import time
from collections.abc import Sequence

from django.utils.translation import gettext as _

from audit.services import record_in_own_transaction
from hotelagent.core.ids import uuid7
from locks import events, metrics, policy
from locks.database import call, postgres_array
from locks.errors import InvalidRoomSelection, RoomContention
from locks.holds import Hold, HoldRequest
from locks.nights import Nights
from locks.owner import ownership
from locks.services.refusals import find_refusal
from tenants.access.tokens import new_token
from tenants.errors import DomainError

#: Maximum number of attempts to acquire rooms. An attempt fails if another client acquires one of the rooms first.
_MAX_ATTEMPTS = 5


def acquire_hold(*, rooms: Sequence[int], nights: Nights, session: str = "", reference: str = "") -> Hold:
    """Hold the rooms with these ids for these nights: all of them or none.

    Return the hold with its token, which can't be retrieved later. The hold expires after `policy.HOLD_SECONDS` by the
    database's clock. The rooms stay locked until the caller's transaction ends. Raises InvalidRoomSelection,
    RoomNotFound, InvalidCheckIn, TooManyHolds, RoomUnavailable or RoomContention.
    """
    ids = tuple(sorted(set(rooms)))
    if len(ids) != len(rooms):
        raise InvalidRoomSelection(_("Each room may be listed only once."))
    return _acquire_timed(
        HoldRequest(nights=nights, count=len(ids), session=session, reference=reference, rooms=ids)
    )


def acquire_hold_of_type(
    *, room_type: str, nights: Nights, count: int = 1, guests: int = 1, session: str = "", reference: str = ""
) -> Hold:
    """Hold `count` free rooms of a type for these nights, each with space for `guests` guests.

    Small rooms are preferred, and concurrent callers get different rooms. Works like `acquire_hold`, but raises
    RoomTypeUnavailable instead of RoomUnavailable.
    """
    return _acquire_timed(
        HoldRequest(
            nights=nights,
            count=count,
            session=session,
            reference=reference,
            room_type=room_type,
            guests=guests,
        )
    )


def _acquire_timed(request: HoldRequest) -> Hold:
    start = time.perf_counter()
    outcome = "error"
    try:
        hold = _acquire(request)
        outcome = "held"
    except DomainError as error:
        outcome = error.code
        raise
    finally:
        metrics.ACQUIRE_SECONDS.labels(outcome=outcome).observe(time.perf_counter() - start)
    return hold


def _acquire(request: HoldRequest) -> Hold:
    if not 1 <= request.count <= policy.MAX_ROOMS:
        raise InvalidRoomSelection(
            _("You requested {requested} rooms (limit: {limit}).").format(
                requested=request.count, limit=policy.MAX_ROOMS
            )
        )
    for attempt in range(_MAX_ATTEMPTS):
        # The first attempt skips rooms that other transactions have locked. Later attempts wait for these rooms.
        hold = _call_acquire(request, wait=attempt > 0)
        if hold is not None:
            return hold
        refusal = find_refusal(request)
        if refusal is not None:
            _record_refusal(request, refusal)
            raise refusal
    raise RoomContention


def _call_acquire(request: HoldRequest, *, wait: bool) -> Hold | None:
    """Acquire the rooms in one round trip. Return the hold, or None if the rooms could not be acquired."""
    token = new_token()
    result = call(
        "locks_acquire",
        {
            **request.as_json(),
            "wait": wait,
            "holds": postgres_array(uuid7() for _room in range(request.count)),
            "group_id": str(uuid7()) if request.count > 1 else None,
            "digest": ownership(token)["digest"],
        },
    )
    if result["expired"]:
        metrics.ENDED.labels(how="expired").inc(result["expired"])
    return Hold.from_json(result["holds"], token=token) if result["holds"] else None


def _record_refusal(request: HoldRequest, refusal: DomainError) -> None:
    record_in_own_transaction(
        events.HOLD_REFUSED,
        requested=request.describe(),
        check_in=request.nights.check_in.isoformat(),
        check_out=request.nights.check_out.isoformat(),
        reason=refusal.code,
        clashes=refusal.extra.get("clashes", []),
    )
