"""The waiting list's statements."""

# ruff: noqa: S608 - the statements are put together from constants; values are parameters

from locks.sql import COLUMNS, OF_ROOM

_FITS = "room.room_type = %(room_type)s AND room.capacity >= %(guests)s"

#: Rooms that are free on all of an entry's nights. What has lapsed stands in the way until it is ended.
FREE_FOR_ENTRY = f"""
SELECT room.id FROM locks_room room
WHERE (room.id = %(room)s::int OR (%(room)s::int IS NULL AND {_FITS}))
  AND NOT EXISTS (
      SELECT FROM locks_allocation stay
      WHERE {OF_ROOM} AND stay.nights && daterange(%(check_in)s, %(check_out)s)
        AND stay.status IN ('held', 'confirmed', 'closed'))
ORDER BY room.capacity, room.id LIMIT 10
"""

#: Offer a room on some nights to who waits for it (migration 0004).
OFFER = """
SELECT locks_offer(%(hotel)s, %(time_zone)s, %(room)s, daterange(%(check_in)s, %(check_out)s)) AS looked
"""

#: What joining the waiting list depends on.
WAITING_SITUATION = f"""
SELECT (clock_timestamp() AT TIME ZONE %(time_zone)s)::date AS today,
    EXISTS (SELECT FROM locks_room room
        WHERE room.id = %(room)s::int OR (%(room)s::int IS NULL AND {_FITS})) AS fitting,
    count(*) AS by_client,
    count(*) FILTER (WHERE %(session)s <> '' AND entry.session = %(session)s) AS by_session
FROM locks_waitinglistentry entry
WHERE entry.holder = %(holder)s AND entry.status IN ('waiting', 'offered')
"""

#: An offer becomes its owner's hold: with a token, and what any hold may do.
CLAIM = f"""
WITH claimed AS (
    UPDATE locks_allocation stay SET token_digest = %(digest)s, extensions_left = %(extensions)s,
        max_expires_at = clock_timestamp() + make_interval(secs => %(life)s)
    WHERE stay.id = %(id)s::uuid AND stay.status = 'held' AND stay.expires_at > clock_timestamp()
    RETURNING stay.*
)
SELECT {COLUMNS} FROM claimed stay JOIN locks_room room ON room.id = stay.room_id
"""
