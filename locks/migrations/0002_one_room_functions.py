"""One room's hold: taken, extended, released or confirmed by one call, so by one message in one transaction.

As functions, because of their plans: one statement that makes these changes in a CTE is parsed and planned
anew in each message, which took twice as long as doing them; what a function runs is planned once a connection.
Each of its statements sees what was committed before it. They run with the caller's rights, take what they are given
as JSON and answer in JSON: a column, in or out, is planned anew with each message too.

The plans are generic, read no whole table, and name no status where a row is sought by its key (it is compared with
a parameter): a plan made while a table is small has to do when it is large.
"""

# ruff: noqa: S608 - the functions are put together from constants

from django.db import migrations

from audit.sql import event_insert

_FUNCTION = """
CREATE FUNCTION {name}(given jsonb) RETURNS jsonb
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
#variable_conflict use_column
{body}
END
$$
"""


# Whether anybody is to be told or waits: mostly not, and then this look is all that it costs (migration 0004).
_HEARD = """EXISTS (SELECT FROM locks_webhook WHERE active)
        OR EXISTS (SELECT FROM locks_waitingentry WHERE status IN ('waiting', 'offered'))"""


def _event(name: str, *, data: str) -> str:
    return event_insert(name, subject=("hold", "hold"), data=f"jsonb_build_object({data})")


_EXPIRED = event_insert(
    "hold.expired",
    # The next event's own key with this hold's place in its last digits: in order, and no other's.
    key="(left(given ->> 'event', 32) || lpad(to_hex(lapsed), 4, '0'))::uuid",
    subject=("hold", "old.id"),
    data="""jsonb_build_object('room', taken.number, 'check_in', lower(old.nights),
        'check_out', upper(old.nights), 'holder', old.holder)""",
)
_ACQUIRED = _event(
    "hold.acquired",
    data="""'room', taken.number, 'check_in', lower(wanted), 'check_out', upper(wanted), 'fencing_token', taken.fencing_token,
        'expires_at', ends, 'reference', given -> 'reference'""",
)

# 1. What cannot win is told so before it writes anything or waits for anybody: the first statement looks at the
#    hotel's date, at what the client and the session hold and at what stands in the room, and only then takes the
#    room's next fencing token, which locks the room.
# 2. What has lapsed in it is ended, for the constraint still counts it.
# 3. The constraint judges. ON CONFLICT, because a bare INSERT that waits for its rival's transaction can deadlock
#    with it.
# The answer begins with how many lapsed holds were in the way and are ended; the room follows where it was had.
ACQUIRE = _FUNCTION.format(
    name="locks_acquire",
    body=f"""
DECLARE
    wanted_room int := given ->> 'room';
    hotel uuid := given ->> 'hotel';
    hold uuid := given ->> 'hold';
    wanted daterange := daterange((given ->> 'check_in')::date, (given ->> 'check_out')::date);
    client text := given ->> 'holder';
    visit text := given ->> 'session';
    per_client int := given -> 'per_client';
    taken record; old record; lapsed int := 0; begins timestamptz; ends timestamptz;
BEGIN
    UPDATE locks_room room SET fencing_token = room.fencing_token + 1
    FROM (
        SELECT count(*) AS held, count(*) FILTER (WHERE one.session = visit) AS of_visit FROM (
            SELECT stay.session FROM locks_allocation stay
            WHERE stay.holder = client AND stay.status = 'held' AND stay.expires_at > clock_timestamp()
            LIMIT per_client) AS one
    ) AS mine, (
        SELECT count(*) AS standing,
            count(*) FILTER (WHERE stay.status <> 'held' OR stay.expires_at > clock_timestamp()) AS live
        FROM locks_allocation stay
        WHERE int4range(stay.room_id, stay.room_id, '[]') = int4range(wanted_room, wanted_room, '[]')
          AND stay.nights && wanted AND stay.status IN ('held', 'confirmed', 'out_of_service')
    ) AS there
    WHERE room.id = wanted_room AND there.live = 0
      AND lower(wanted) >= (clock_timestamp() AT TIME ZONE (given ->> 'time_zone'))::date
      AND mine.held < per_client AND (visit = '' OR mine.of_visit < (given -> 'per_session')::int)
    RETURNING room.number, room.room_type, room.fencing_token, there.standing,
        {_HEARD} AS heard INTO taken;
    IF NOT FOUND THEN
        RETURN '[0]';
    END IF;
    IF taken.standing > 0 THEN
        FOR old IN
            SELECT stay.id, stay.status, stay.expires_at, stay.nights, stay.holder FROM locks_allocation stay
            WHERE int4range(stay.room_id, stay.room_id, '[]') = int4range(wanted_room, wanted_room, '[]')
              AND stay.nights && wanted AND stay.status IN ('held', 'confirmed', 'out_of_service')
            FOR NO KEY UPDATE
        LOOP
            CONTINUE WHEN old.status <> 'held' OR old.expires_at > clock_timestamp();
            lapsed := lapsed + 1;
            UPDATE locks_allocation stay SET status = 'expired' WHERE stay.id = old.id;
            DELETE FROM public.tenants_dueitem item
            WHERE item.hotel_id = hotel AND item.kind = 'hold' AND item.item_id = old.id;
        {_EXPIRED}
            IF taken.heard THEN
                PERFORM locks_changed(hotel, 'hold.expired', ARRAY[old.id]);
            END IF;
        END LOOP;
    END IF;
    IF taken.heard THEN  -- who waits for this room goes first: then it is taken below
        PERFORM locks_offer(hotel, given ->> 'time_zone', wanted_room, wanted);
    END IF;

    begins := clock_timestamp();
    ends := begins + make_interval(secs => (given -> 'seconds')::int);
    INSERT INTO locks_allocation (id, room_id, nights, status, fencing_token, token_digest, holder, session, reference,
        reason, created_at, expires_at, max_expires_at, extensions_left)
    VALUES (hold, wanted_room, wanted, 'held', taken.fencing_token, decode(given ->> 'digest', 'hex'), client, visit,
        given ->> 'reference', '', begins, ends, begins + make_interval(secs => (given -> 'life')::int),
        (given -> 'extensions')::int)
    ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RETURN jsonb_build_array(lapsed);
    END IF;
    INSERT INTO public.tenants_dueitem (hotel_id, kind, item_id, due_at, claim_at, claims)
    VALUES (hotel, 'hold', hold, ends, ends, 0);
    {_ACQUIRED}
    IF taken.heard THEN
        PERFORM locks_changed(hotel, 'hold.created', ARRAY[hold]);
    END IF;
    RETURN jsonb_build_array(lapsed, wanted_room, taken.number, taken.room_type, taken.fencing_token, begins, ends);
""",
)

# Any room of a type, the smallest that will do, on the way that `locks_acquire` goes. A room that a rival is about to
# take is stepped over: two callers get two rooms instead of fighting over one. Or with `waiting`, for when the rooms
# that are free are all locked by callers who may want other nights: any of them, so that not all wait for one.
_OF_TYPE = """
    room.room_type = given ->> 'room_type' AND room.capacity >= (given -> 'guests')::int
    AND NOT EXISTS (
        SELECT FROM locks_allocation stay
        WHERE int4range(stay.room_id, stay.room_id, '[]') = int4range(room.id, room.id, '[]')
          AND stay.nights && wanted AND stay.status IN ('held', 'confirmed', 'out_of_service')
          AND (stay.status <> 'held' OR stay.expires_at > clock_timestamp()))
"""
ACQUIRE_ANY = _FUNCTION.format(
    name="locks_acquire_any",
    body=f"""
DECLARE
    wanted daterange := daterange((given ->> 'check_in')::date, (given ->> 'check_out')::date);
    chosen int;
BEGIN
    IF (given -> 'waiting')::boolean THEN
        SELECT room.id INTO chosen FROM locks_room room WHERE {_OF_TYPE} ORDER BY random() LIMIT 1;
    ELSE
        SELECT room.id INTO chosen FROM locks_room room WHERE {_OF_TYPE}
        ORDER BY room.capacity, room.id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED;
    END IF;
    RETURN locks_acquire(given || jsonb_build_object('room', chosen));
""",
)

# By the owner: by the token, or as the member of staff who made it. A row that others are at work on is waited for,
# and judged as it has become; a time that counts is read when the row is ours. Null where nothing was changed.
_OWNED = """
DECLARE
    hotel uuid := given ->> 'hotel';
    hold uuid := given ->> 'hold';
    held varchar := 'held';
    changed record;
BEGIN
    {locked}
    UPDATE locks_allocation stay SET {change}
    FROM locks_room room
    WHERE stay.id = hold AND stay.status = held AND room.id = stay.room_id
      AND (stay.token_digest = decode(given ->> 'digest', 'hex') OR stay.holder = given ->> 'staff')
      {condition}
    RETURNING stay.id, stay.group_id, stay.room_id, room.number, room.room_type, lower(stay.nights) AS check_in,
        upper(stay.nights) AS check_out, stay.status, stay.fencing_token, stay.expires_at, stay.extensions_left,
        greatest(0, floor(extract(epoch FROM stay.expires_at - clock_timestamp())))::int AS seconds_left,
        stay.holder, stay.session, stay.reference, stay.reason, stay.created_at,
        {heard} AS heard INTO changed;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    {due}
    {event}
    {told}
    RETURN jsonb_build_array(changed.id, changed.group_id, changed.room_id, changed.number, changed.room_type,
        changed.check_in, changed.check_out, changed.status, changed.fencing_token, changed.expires_at,
        changed.extensions_left, changed.seconds_left, changed.holder, changed.session, changed.reference,
        changed.reason, changed.created_at);
"""

_LOCKED = "PERFORM FROM locks_allocation stay WHERE stay.id = hold FOR NO KEY UPDATE;"
_NOT_DUE = """
    DELETE FROM public.tenants_dueitem item
    WHERE item.hotel_id = hotel AND item.kind = 'hold' AND item.item_id = hold;
"""
_DUE = """
    INSERT INTO public.tenants_dueitem AS item (hotel_id, kind, item_id, due_at, claim_at, claims)
    VALUES (hotel, 'hold', hold, changed.expires_at, changed.expires_at, 0)
    ON CONFLICT (hotel_id, kind, item_id)
    DO UPDATE SET due_at = excluded.due_at, claim_at = excluded.claim_at, claims = 0;
"""
_DATES = "'room', changed.number, 'check_in', changed.check_in, 'check_out', changed.check_out"


def _told(event: str) -> str:
    return f"""
    IF changed.heard THEN
        PERFORM locks_changed(hotel, '{event}', ARRAY[hold]);
    END IF;
"""


def _owned(
    name: str, *, locked: str = "", change: str, condition: str = "", due: str, event: str, told: str = ""
) -> str:
    body = _OWNED.format(
        locked=locked, change=change, condition=condition, heard=_HEARD, due=due, event=event, told=told
    )
    return _FUNCTION.format(name=name, body=body)


EXTEND = _owned(
    "locks_extend",
    locked=_LOCKED,
    change="""extensions_left = stay.extensions_left - 1, expires_at = least(
        stay.expires_at + make_interval(secs => (given -> 'seconds')::int), stay.max_expires_at)""",
    condition="""AND stay.expires_at > clock_timestamp()
      AND stay.extensions_left > 0 AND stay.expires_at < stay.max_expires_at""",
    due=_DUE,
    event=_event(
        "hold.extended",
        data=f"{_DATES}, 'expires_at', changed.expires_at, 'extensions_left', changed.extensions_left",
    ),
)
RELEASE = _owned(
    "locks_release",
    change="status = 'released'",
    due=_NOT_DUE,
    event=_event("hold.released", data=_DATES),
    told=_told("hold.released"),
)
CONFIRM = _owned(
    "locks_confirm",
    locked=_LOCKED,
    change="""status = 'confirmed',
        reference = coalesce(nullif(given ->> 'reference', ''), stay.reference)""",
    condition="AND stay.expires_at > clock_timestamp() AND stay.fencing_token = (given -> 'fencing_token')::bigint",
    due=_NOT_DUE,
    event=_event(
        "hold.confirmed",
        data=f"{_DATES}, 'fencing_token', changed.fencing_token, 'reference', changed.reference",
    ),
    told=_told("hold.confirmed"),
)

NAMES = ["locks_acquire", "locks_acquire_any", "locks_extend", "locks_release", "locks_confirm"]


class Migration(migrations.Migration):
    dependencies = [("locks", "0001_initial"), ("audit", "0001_initial"), ("tenants", "0001_initial")]

    operations = [
        migrations.RunSQL(
            [ACQUIRE, ACQUIRE_ANY, EXTEND, RELEASE, CONFIRM], [f"DROP FUNCTION {name}" for name in NAMES]
        )
    ]
