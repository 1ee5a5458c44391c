"""The statements that decide who gets a room, and the pieces they share.

Time is the database's clock, read where it is compared: `clock_timestamp()` and not `now()`, which is when
the transaction began. Rooms are locked in the order of their keys, before any row of theirs is touched, so
that whoever wants the same rooms waits and nobody deadlocks; holds are locked in the order of theirs.
"""

# ruff: noqa: S608 - the statements are put together from constants; values are parameters

#: What keeps others out at this moment. The first condition is that of the constraint's index, to the letter.
TAKES_ROOM = """
    stay.status IN ('held', 'confirmed', 'closed')
    AND (stay.status <> 'held' OR stay.expires_at > clock_timestamp())
"""

#: The constraint's index knows a room as a range: asked by `room_id`, it would not be used.
OF_ROOM = "int4range(stay.room_id, stay.room_id, '[]') = int4range(room.id, room.id, '[]')"

#: One row of an answer, from `stay` and `room`: what `locks.holds.AllocatedRoom` is made of.
COLUMNS = """
    stay.id, stay.group_id, stay.room_id, room.number, room.room_type, lower(stay.nights) AS check_in,
    upper(stay.nights) AS check_out, stay.status, stay.fencing_token, stay.expires_at, stay.extensions_left,
    greatest(0, floor(extract(epoch FROM stay.expires_at - clock_timestamp())))::int AS seconds_left,
    stay.holder, stay.session, stay.reference, stay.reason, stay.created_at
"""

_ROOM_IS_FREE = f"""
    NOT EXISTS (
        SELECT FROM locks_allocation stay
        WHERE {OF_ROOM} AND stay.nights && daterange(%(check_in)s, %(check_out)s) AND {TAKES_ROOM}
    )
"""

_OF_TYPE = "room.room_type = %(room_type)s AND room.capacity >= %(guests)s"

# Several rooms, all or none.
# 1. `wanted` looks for rooms that seem free and locks them: a rival for the same room waits here, and one
#    that could not win in any case writes nothing and waits for nobody.
# 2. `numbered` gives them their next fencing token, one number for all of a group: the largest any had, plus one.
# 3. `expired` ends what has lapsed on them. The constraint still counts it, for `now()` can't stand in one.
# 4. `taken` reads `expired` to its end before it inserts, and the constraint judges. ON CONFLICT, because a
#    bare INSERT that waits for its rival's transaction can deadlock with it.
_ACQUIRE = f"""
WITH wanted AS MATERIALIZED (
    SELECT room.id, room.fencing_token FROM locks_room room
    WHERE {{choice}}
      AND %(check_in)s >= (clock_timestamp() AT TIME ZONE %(time_zone)s)::date
      AND %(count)s <= %(per_client)s - (
          SELECT count(*) FROM (
              SELECT FROM locks_allocation stay
              WHERE stay.holder = %(holder)s AND stay.status = 'held' AND stay.expires_at > clock_timestamp()
              LIMIT %(per_client)s) AS mine)
      AND (%(session)s = '' OR %(count)s <= %(per_session)s - (
          SELECT count(*) FROM (
              SELECT FROM locks_allocation stay
              WHERE stay.holder = %(holder)s AND stay.status = 'held' AND stay.expires_at > clock_timestamp()
                AND stay.session = %(session)s
              LIMIT %(per_session)s) AS mine))
      AND {_ROOM_IS_FREE}
    {{order}}
), numbered AS (
    UPDATE locks_room room SET fencing_token = (SELECT max(fencing_token) FROM wanted) + 1
    FROM wanted WHERE room.id = wanted.id AND (SELECT count(*) FROM wanted) = %(count)s
    RETURNING room.id, room.fencing_token
), lapsed AS (
    SELECT stay.id FROM numbered room JOIN locks_allocation stay
        ON {OF_ROOM} AND stay.nights && daterange(%(check_in)s, %(check_out)s)
    WHERE stay.status = 'held' AND stay.expires_at <= clock_timestamp()
    ORDER BY stay.id FOR NO KEY UPDATE OF stay
), expired AS (
    UPDATE locks_allocation stay SET status = 'expired'
    FROM lapsed WHERE stay.id = lapsed.id AND stay.status = 'held'
    RETURNING stay.*
), taken AS (
    INSERT INTO locks_allocation AS stay (
        id, group_id, room_id, nights, status, fencing_token, token_digest, holder, session, reference, reason,
        created_at, expires_at, max_expires_at, extensions_left)
    SELECT keys.id, %(group_id)s::uuid, room.id, daterange(%(check_in)s, %(check_out)s), 'held', room.fencing_token,
        %(digest)s, %(holder)s, %(session)s, %(reference)s, '',
        clock.now, clock.now + make_interval(secs => %(seconds)s),
        clock.now + make_interval(secs => %(life)s), %(extensions)s
    FROM (SELECT id, fencing_token, row_number() OVER (ORDER BY id) AS place FROM numbered) AS room
    JOIN unnest(%(ids)s::uuid[]) WITH ORDINALITY AS keys (id, place) USING (place)
    CROSS JOIN (SELECT clock_timestamp() AS now) AS clock
    WHERE (SELECT count(*) FROM expired) >= 0
    ON CONFLICT DO NOTHING
    RETURNING stay.*
)
SELECT {COLUMNS}
FROM (SELECT * FROM taken UNION ALL SELECT * FROM expired) AS stay
JOIN locks_room room ON room.id = stay.room_id
ORDER BY room.id
"""

#: These rooms, all of them.
ACQUIRE_ROOMS = _ACQUIRE.format(
    choice="room.id = ANY(%(rooms)s::int[])", order="ORDER BY room.id FOR NO KEY UPDATE"
)

#: As many rooms of a type, the smallest that will do first.
ACQUIRE_ANY = _ACQUIRE.format(
    choice=_OF_TYPE,
    order="ORDER BY room.capacity, room.id LIMIT %(count)s FOR NO KEY UPDATE SKIP LOCKED",
)

#: The same, waiting for rivals.
ACQUIRE_ANY_WAITING = _ACQUIRE.format(
    choice=f"""room.id IN (
        SELECT room.id FROM locks_room room WHERE {_OF_TYPE} AND {_ROOM_IS_FREE}
        ORDER BY random() LIMIT %(count)s)""",
    order="ORDER BY room.id FOR NO KEY UPDATE",
)

# A hold or the holds of a group, or the stays they became, acted on by who owns them: by the token, or by being the
# member of staff who made them. `members` says how many there should be: a group is changed whole or not at all.
_OWNED = f"""
WITH target AS MATERIALIZED (
    SELECT stay.id FROM locks_allocation stay
    WHERE (stay.id = %(id)s OR stay.group_id = %(id)s)
      AND stay.status = {{state}}
      AND (stay.token_digest = %(digest)s OR stay.holder = %(staff)s)
      AND {{condition}}
    ORDER BY stay.id FOR NO KEY UPDATE
), changed AS (
    UPDATE locks_allocation stay SET {{change}}
    FROM target WHERE stay.id = target.id AND stay.status = {{state}}
    RETURNING stay.*
)
SELECT {COLUMNS}, (
    SELECT count(*) FROM locks_allocation other
    WHERE (other.id = %(id)s OR other.group_id = %(id)s) AND other.status IN ({{members}})) AS members
FROM changed stay JOIN locks_room room ON room.id = stay.room_id
ORDER BY room.id
"""

EXTEND = _OWNED.format(
    state="'held'",
    condition="""stay.expires_at > clock_timestamp()
      AND stay.extensions_left > 0 AND stay.expires_at < stay.max_expires_at""",
    members="'held', 'expired'",
    change="""extensions_left = extensions_left - 1,
        expires_at = least(expires_at + make_interval(secs => %(seconds)s), max_expires_at)""",
)
RELEASE = _OWNED.format(state="'held'", condition="true", members="'held'", change="status = 'released'")
CANCEL = _OWNED.format(
    state="'confirmed'", condition="true", members="'confirmed'", change="status = 'cancelled'"
)
CONFIRM = _OWNED.format(
    state="'held'",
    condition="stay.expires_at > clock_timestamp() AND stay.fencing_token = %(fencing_token)s",
    members="'held', 'expired'",
    change="status = 'confirmed', reference = coalesce(nullif(%(reference)s, ''), reference)",
)

#: A hold or a group as it stands, with what the answer to its owner depends on.
FIND = f"""
SELECT {COLUMNS}, stay.token_digest, stay.expires_at <= clock_timestamp() AS lapsed
FROM locks_allocation stay JOIN locks_room room ON room.id = stay.room_id
WHERE stay.id = %(id)s OR stay.group_id = %(id)s
ORDER BY room.id
"""

#: Staff end another's hold, lapsed or not.
FORCE_RELEASE = f"""
WITH changed AS (
    UPDATE locks_allocation stay SET status = 'released', reason = %(reason)s
    FROM (
        SELECT id FROM locks_allocation WHERE (id = %(id)s OR group_id = %(id)s) AND status = 'held'
        ORDER BY id FOR NO KEY UPDATE) AS target
    WHERE stay.id = target.id AND stay.status = 'held'
    RETURNING stay.*
)
SELECT {COLUMNS} FROM changed stay JOIN locks_room room ON room.id = stay.room_id ORDER BY room.id
"""

_EXPIRE = f"""
WITH lapsed AS (
    {{lapsed}}
), expired AS (
    UPDATE locks_allocation stay SET status = 'expired'
    FROM lapsed WHERE stay.id = lapsed.id AND stay.status = 'held'
    RETURNING stay.*
)
SELECT {COLUMNS} FROM expired stay JOIN locks_room room ON room.id = stay.room_id ORDER BY stay.id
"""

#: What has lapsed of these. Rows that someone is at work on are left to them, or to the next time.
EXPIRE = _EXPIRE.format(
    lapsed="""SELECT stay.id FROM locks_allocation stay
    WHERE stay.id = ANY(%(ids)s::uuid[]) AND stay.status = 'held' AND stay.expires_at <= clock_timestamp()
    ORDER BY stay.id FOR NO KEY UPDATE SKIP LOCKED"""
)

#: Ends what has lapsed on one room, so that the constraint no longer counts it; the room is locked first.
EXPIRE_ROOM = _EXPIRE.format(
    lapsed=f"""SELECT stay.id FROM locks_room room JOIN locks_allocation stay
        ON {OF_ROOM} AND stay.nights && daterange(%(check_in)s, %(check_out)s)
    WHERE room.id = %(room)s AND stay.status = 'held' AND stay.expires_at <= clock_timestamp()
    ORDER BY stay.id FOR NO KEY UPDATE OF stay"""
)

#: Whoever takes nights of these rooms waits until this transaction ends.
LOCK_ROOMS = (
    "SELECT id, number FROM locks_room WHERE id = ANY(%(rooms)s::int[]) ORDER BY id FOR NO KEY UPDATE"
)

#: One row, locked.
LOCK_STAY = f"""
SELECT {COLUMNS} FROM locks_allocation stay JOIN locks_room room ON room.id = stay.room_id
WHERE stay.id = %(id)s FOR NO KEY UPDATE OF stay
"""

#: The row stays the same: whoever refers to the stay goes on doing so. The constraint judges the new place.
#: The new fencing_token is larger than the room's last and than the hold's own.
MOVE = f"""
WITH numbered AS (
    UPDATE locks_room SET fencing_token = 1 + greatest(
        fencing_token, (SELECT stay.fencing_token FROM locks_allocation stay WHERE stay.id = %(id)s))
    WHERE id = %(room)s
    RETURNING id, fencing_token
), moved AS (
    UPDATE locks_allocation stay SET room_id = numbered.id, nights = daterange(%(check_in)s, %(check_out)s),
        fencing_token = CASE WHEN stay.status = 'held' THEN numbered.fencing_token ELSE stay.fencing_token END
    FROM numbered
    WHERE stay.id = %(id)s AND stay.status = %(status)s
    RETURNING stay.*
)
SELECT {COLUMNS} FROM moved stay JOIN locks_room room ON room.id = stay.room_id
"""

#: Stays, or times out of service, that are over before their nights are.
END = f"""
WITH ended AS (
    UPDATE locks_allocation stay SET status = 'cancelled'
    WHERE stay.id = ANY(%(ids)s::uuid[]) AND stay.status = %(status)s
    RETURNING stay.*
)
SELECT {COLUMNS} FROM ended stay JOIN locks_room room ON room.id = stay.room_id
"""

#: Nights on which a room is out of service: the constraint judges each range like any other.
TAKE_OUT_OF_SERVICE = f"""
WITH taken AS (
    INSERT INTO locks_allocation AS stay (
        id, room_id, nights, status, extensions_left, holder, session, reference, reason)
    SELECT new.id, %(room)s, daterange(new.check_in, new.check_out), 'closed', 0,
        %(holder)s, '', %(reference)s, %(reason)s
    FROM unnest(%(ids)s::uuid[], %(check_ins)s::date[], %(check_outs)s::date[]) AS new (id, check_in, check_out)
    ON CONFLICT DO NOTHING
    RETURNING stay.*
)
SELECT {COLUMNS} FROM taken stay JOIN locks_room room ON room.id = stay.room_id
"""

#: Confirmed stays by the thousand, in the order of their nights: the index is filled where it was last.
PLACE = """
INSERT INTO locks_allocation (
    id, room_id, nights, status, extensions_left, holder, session, reference, reason)
SELECT new.id, new.room_id, daterange(new.check_in, new.check_out), 'confirmed', 0,
    %(holder)s, '', new.reference, ''
FROM unnest(%(ids)s::uuid[], %(rooms)s::int[], %(check_ins)s::date[], %(check_outs)s::date[],
    %(references)s::text[]) AS new (id, room_id, check_in, check_out, reference)
ORDER BY new.check_in, new.room_id
ON CONFLICT DO NOTHING
RETURNING id
"""
