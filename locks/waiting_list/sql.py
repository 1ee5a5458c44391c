"""SQL statements of the waiting list."""

#: The query that finds suitable rooms for a waiting list entry. The rooms are free on all nights of the entry.
#: A room with an expired hold is not free until the hold is ended.
FREE_ROOMS = """
SELECT room.id FROM locks_room room
WHERE locks_room_suits(
      room.id, room.room_type, room.capacity, %(room)s::int, %(room_type)s::varchar, %(guests)s::int)
  AND NOT EXISTS (
      SELECT FROM locks_allocation allocation
      WHERE locks_room_range(allocation.room_id) = locks_room_range(room.id)
        AND allocation.nights && daterange(%(check_in)s, %(check_out)s) AND locks_occupies(allocation.status))
ORDER BY room.capacity, room.id LIMIT 10
"""

#: The SQL statement that offers a room to the waiting list.
OFFER = """
SELECT locks_offer(%(hotel)s, %(time_zone)s, %(room)s, daterange(%(check_in)s, %(check_out)s)) AS was_free_to_lock
"""

#: The query for the values that the service checks before it creates a waiting list entry.
#: The query returns today's date, and whether the hotel has a suitable room.
#: The query also returns the number of open waiting list entries of the client, and of the client's guest session.
NEW_ENTRY_SITUATION = """
SELECT (clock_timestamp() AT TIME ZONE %(time_zone)s)::date AS today,
    EXISTS (SELECT FROM locks_room room
        WHERE locks_room_suits(
            room.id, room.room_type, room.capacity, %(room)s::int, %(room_type)s::varchar, %(guests)s::int)
    ) AS has_room,
    count(*) AS entries_of_client,
    count(*) FILTER (WHERE %(session)s <> '' AND entry.session = %(session)s) AS entries_of_session
FROM locks_waitinglistentry entry
WHERE entry.holder = %(holder)s AND entry.status IN ('waiting', 'offered')
"""
