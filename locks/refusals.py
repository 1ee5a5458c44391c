"""Why rooms could not be had: asked after the fact, so that the way that succeeds pays nothing for it."""

import datetime
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _

from locks import policy, selectors
from locks.errors import InvalidCheckIn, RoomNotFound, RoomTypeUnavailable, RoomUnavailable, TooManyHolds
from locks.holds import rows
from locks.nights import Nights
from locks.wanted import Wanted
from tenants.errors import DomainError

# No more of the client's holds are read than it may have: who hoards is told so at the same cost as anybody.
_SITUATION = """
SELECT (clock_timestamp() AT TIME ZONE %(time_zone)s)::date AS today,
    ARRAY(SELECT id FROM locks_room WHERE id = ANY(%(rooms)s::int[])) AS known,
    (SELECT count(*) FROM locks_room WHERE room_type = %(room_type)s AND capacity >= %(guests)s) AS of_type,
    count(*) AS by_client,
    count(*) FILTER (WHERE %(session)s <> '' AND mine.session = %(session)s) AS by_session
FROM (
    SELECT stay.session FROM locks_allocation stay
    WHERE stay.holder = %(holder)s AND stay.status = 'held' AND stay.expires_at > clock_timestamp()
    LIMIT %(per_client)s) AS mine
"""


def explain(wanted: Wanted) -> DomainError | None:
    """The reason, as an error to raise; None where nothing stands in the way any more."""
    [situation] = rows(_SITUATION, wanted.params())
    return _of_the_caller(wanted, situation) or _of_the_rooms(wanted)


def _of_the_caller(wanted: Wanted, situation: dict[str, Any]) -> DomainError | None:
    today: datetime.date = situation["today"]
    if missing := sorted(set(wanted.rooms) - set(situation["known"])):
        return RoomNotFound(_("No room has the id {}.").format(", ".join(map(str, missing))), rooms=missing)
    if not wanted.rooms and situation["of_type"] < wanted.count:
        return RoomNotFound(
            _("The hotel has {} rooms of type '{}' that sleep {}.").format(
                situation["of_type"], wanted.room_type, wanted.guests
            )
        )
    if wanted.nights.check_in < today:
        return InvalidCheckIn(_("At the hotel it is {}.").format(today), today=today.isoformat())
    if situation["by_client"] + wanted.count > policy.HOLDS_PER_CLIENT:
        return TooManyHolds(
            _(
                "You hold {} rooms; {} are the most. Confirm or release some, or wait until they expire."
            ).format(situation["by_client"], policy.HOLDS_PER_CLIENT),
            limit=policy.HOLDS_PER_CLIENT,
        )
    if wanted.session and situation["by_session"] + wanted.count > policy.HOLDS_PER_SESSION:
        return TooManyHolds(
            _("This guest's session holds {} rooms; {} are the most. Confirm or release some first.").format(
                situation["by_session"], policy.HOLDS_PER_SESSION
            ),
            limit=policy.HOLDS_PER_SESSION,
        )
    return None


def _of_the_rooms(wanted: Wanted) -> DomainError | None:
    if wanted.rooms:
        return room_taken(wanted.rooms, nights=wanted.nights)
    free = len(
        selectors.availability(nights=wanted.nights, room_type=wanted.room_type, guests=wanted.guests).free
    )
    if free >= wanted.count:
        return None
    return RoomTypeUnavailable(
        _("{} of the {} rooms that are asked for are free from {}.").format(
            free, wanted.count, wanted.nights
        ),
        free=free,
        next_free=selectors.next_free(
            nights=wanted.nights, count=wanted.count, room_type=wanted.room_type, guests=wanted.guests
        ),
    )


def room_taken(rooms: Sequence[int], *, nights: Nights, but: UUID | None = None) -> RoomUnavailable | None:
    """What stands in these rooms, other than `but`, without a word on whose it is; None if nothing does."""
    clashes = selectors.clashes(rooms=rooms, nights=nights, but=but)
    if not clashes:
        return None
    return RoomUnavailable(
        "; ".join(str(clash) for clash in clashes),
        clashes=[clash.as_json() for clash in clashes],
        next_free=selectors.next_free(nights=nights, count=len(rooms), rooms=rooms),
        alternatives=selectors.alternatives(rooms=rooms, nights=nights),
    )
