"""Queries for the reason why rooms could not be held. The queries run only after a failed attempt."""

import datetime
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _

from locks import policy, selectors
from locks.database import fetch_rows
from locks.errors import InvalidCheckIn, RoomNotFound, RoomTypeUnavailable, RoomUnavailable, TooManyHolds
from locks.holds import HoldRequest
from locks.nights import Nights
from locks.owner import holder
from tenants.context import current_hotel
from tenants.errors import DomainError

# The query counts the active holds of the client. LIMIT stops the count at the maximum number that is allowed.
_SITUATION = """
SELECT (clock_timestamp() AT TIME ZONE %(time_zone)s)::date AS today,
    ARRAY(SELECT id FROM locks_room WHERE id = ANY(%(rooms)s::int[])) AS existing_rooms,
    (SELECT count(*) FROM locks_room WHERE room_type = %(room_type)s AND capacity >= %(guests)s) AS rooms_of_type,
    count(*) AS held_by_client,
    count(*) FILTER (WHERE %(session)s <> '' AND hold.session = %(session)s) AS held_by_session
FROM (
    SELECT session FROM locks_allocation
    WHERE holder = %(holder)s AND status = 'held' AND expires_at > clock_timestamp()
    LIMIT %(client_limit)s) AS hold
"""


def find_refusal(request: HoldRequest) -> DomainError | None:
    """Return the error that explains why a request for rooms fails, or None if it would succeed now."""
    [situation] = fetch_rows(
        _SITUATION,
        {
            "time_zone": current_hotel().time_zone,
            "rooms": list(request.rooms),
            "room_type": request.room_type,
            "guests": request.guests,
            "session": request.session,
            "holder": holder(),
            "client_limit": policy.MAX_HOLDS_PER_CLIENT,
        },
    )
    return (
        _missing_rooms(request, situation)
        or _exceeded_limit(request, situation)
        or _unavailable_rooms(request)
    )


def find_clash(
    rooms: Sequence[int], *, nights: Nights, excluded: UUID | None = None
) -> RoomUnavailable | None:
    """Return an error that lists the allocations that occupy these rooms, or None if the rooms are free.

    The allocation `excluded` is ignored.
    """
    clashes = selectors.clashes(rooms=rooms, nights=nights, excluded=excluded)
    if not clashes:
        return None
    return RoomUnavailable(
        "; ".join(str(clash) for clash in clashes),
        clashes=[clash.as_json() for clash in clashes],
        next_free=selectors.next_free(nights=nights, count=len(rooms), rooms=rooms),
        alternatives=selectors.alternatives(rooms=rooms, nights=nights),
    )


def _missing_rooms(request: HoldRequest, situation: dict[str, Any]) -> DomainError | None:
    if missing := sorted(set(request.rooms) - set(situation["existing_rooms"])):
        return RoomNotFound(
            _("There are no rooms with these ids: {ids}.").format(ids=", ".join(map(str, missing))),
            rooms=missing,
        )
    if not request.rooms and situation["rooms_of_type"] < request.count:
        return RoomNotFound(
            _(
                "The hotel has only {rooms} rooms of type '{room_type}' that are large enough for {guests} guests."
            ).format(rooms=situation["rooms_of_type"], room_type=request.room_type, guests=request.guests)
        )
    return None


def _exceeded_limit(request: HoldRequest, situation: dict[str, Any]) -> DomainError | None:
    today: datetime.date = situation["today"]
    if request.nights.check_in < today:
        return InvalidCheckIn(_("Today is {date} at the hotel.").format(date=today), today=today.isoformat())
    if situation["held_by_client"] + request.count > policy.MAX_HOLDS_PER_CLIENT:
        return TooManyHolds(
            _(
                "You hold {rooms} rooms (limit: {limit}). Confirm or release holds, or wait until they expire."
            ).format(rooms=situation["held_by_client"], limit=policy.MAX_HOLDS_PER_CLIENT),
            limit=policy.MAX_HOLDS_PER_CLIENT,
        )
    if request.session and situation["held_by_session"] + request.count > policy.MAX_HOLDS_PER_SESSION:
        return TooManyHolds(
            _(
                "This guest session holds {rooms} rooms (limit: {limit}). Confirm or release holds first."
            ).format(rooms=situation["held_by_session"], limit=policy.MAX_HOLDS_PER_SESSION),
            limit=policy.MAX_HOLDS_PER_SESSION,
        )
    return None


def _unavailable_rooms(request: HoldRequest) -> DomainError | None:
    if request.rooms:
        return find_clash(request.rooms, nights=request.nights)
    available = len(
        selectors.availability(nights=request.nights, room_type=request.room_type, guests=request.guests).free
    )
    if available >= request.count:
        return None
    return RoomTypeUnavailable(
        _("Only {available} of {requested} rooms are available from {nights}.").format(
            available=available, requested=request.count, nights=request.nights
        ),
        free=available,
        next_free=selectors.next_free(
            nights=request.nights, count=request.count, room_type=request.room_type, guests=request.guests
        ),
    )
