"""One room's hold: taken, extended, released or confirmed by one call, so by one message in one transaction.

As functions, because of their plans: one statement that makes these changes in a CTE is parsed and planned
anew in each message, which took twice as long as doing them; what a function runs is planned once a connection.
Each of its statements sees what was committed before it, so a room is looked at after it is locked. They run
with the caller's rights, and return a row of nulls where nothing was changed.

The plans are generic, read no whole table, and name no status where a row is sought by its key: a plan made
while a table is small has to do when it is large.
"""

# ruff: noqa: S608 - the functions are put together from constants

from django.db import migrations

# What every function has besides its body: the answer is what `locks.holds.HeldRoom` is made of.
_FUNCTION = """
CREATE FUNCTION {name}({parameters},
    OUT id uuid, OUT group_id uuid, OUT room_id int, OUT number varchar, OUT room_type varchar,
    OUT check_in date, OUT check_out date, OUT status varchar, OUT fence bigint, OUT expires_at timestamptz,
    OUT extensions_left int, OUT seconds_left int, OUT holder varchar, OUT session varchar,
    OUT reference varchar, OUT reason varchar, OUT created_at timestamptz{more})
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
#variable_conflict use_column
{body}
END
$$
"""


# A row of the trail, from a form that `audit.sql.form` made of who acts and what is known before.
def _event(form: str, *, key: str, hold: str, drawn: str) -> str:
    return f"""
    INSERT INTO audit_event (id, event, actor_kind, actor_id, actor_label, ip, request_id,
        subject_kind, subject_id, data)
    VALUES ({key}, {form} ->> 'event', {form} ->> 'actor_kind', {form} ->> 'actor_id',
        {form} ->> 'actor_label', ({form} ->> 'ip')::inet, {form} ->> 'request_id',
        'hold', {hold}::text, ({form} -> 'data') || jsonb_build_object({drawn}));
"""


# Whether anybody is to be told or waits: mostly not, and then this look is all that it costs (migration 0004).
_HEARD = """EXISTS (SELECT FROM locks_webhook WHERE active)
        OR EXISTS (SELECT FROM locks_waitingentry WHERE status IN ('waiting', 'offered'))"""

_DATES = "'room', number, 'check_in', lower({0}), 'check_out', upper({0})"

_EXPIRED = _event(
    "expired",
    # The form's own key with this hold's place in its last digits: in order, and no other's.
    key="(left(expired ->> 'id', 32) || lpad(to_hex(lapsed), 4, '0'))::uuid",
    hold="old.id",
    drawn=_DATES.format("old.nights") + ", 'holder', old.holder",
)
_ACQUIRED = _event(
    "acquired",
    key="(acquired ->> 'id')::uuid",
    hold="hold",
    drawn="'room', number, 'fence', fence, 'expires_at', expires_at",
)

# What cannot win is told so before it writes anything or waits for anybody. Then the room is locked, by taking its
# next fence; what has lapsed in it is ended, for the constraint still counts it; and the constraint judges.
# ON CONFLICT, because a bare INSERT that waits for its rival's transaction can deadlock with it.
ACQUIRE = _FUNCTION.format(
    name="locks_acquire",
    parameters="""
    wanted_room int, wanted daterange, zone text, hotel uuid, hold uuid, digest bytea, client text, visit text,
    booking text, seconds int, life int, extensions int, per_client int, per_session int,
    acquired jsonb, expired jsonb""",
    more=", OUT lapsed int",
    body=f"""
DECLARE
    standing bigint; live bigint; of_client bigint; of_visit bigint; old record; heard boolean;
BEGIN
    lapsed := 0;
    IF wanted_room IS NULL OR lower(wanted) < (clock_timestamp() AT TIME ZONE zone)::date THEN
        RETURN;
    END IF;
    SELECT count(*), count(*) FILTER (WHERE mine.session = visit) INTO of_client, of_visit FROM (
        SELECT stay.session FROM locks_stay stay
        WHERE stay.holder = client AND stay.status = 'held' AND stay.expires_at > clock_timestamp()
        LIMIT per_client) AS mine;
    IF of_client >= per_client OR (visit <> '' AND of_visit >= per_session) THEN
        RETURN;
    END IF;
    SELECT count(*), count(*) FILTER (WHERE stay.status <> 'held' OR stay.expires_at > clock_timestamp())
    INTO standing, live FROM locks_stay stay
    WHERE int4range(stay.room_id, stay.room_id, '[]') = int4range(wanted_room, wanted_room, '[]')
      AND stay.nights && wanted AND stay.status IN ('held', 'confirmed', 'out_of_service');
    IF live > 0 THEN
        RETURN;
    END IF;

    UPDATE locks_room room SET fence = room.fence + 1 WHERE room.id = wanted_room
    RETURNING room.number, room.room_type, room.fence INTO number, room_type, fence;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    heard := {_HEARD};
    IF standing > 0 THEN
        FOR old IN
            SELECT stay.id, stay.status, stay.expires_at, stay.nights, stay.holder FROM locks_stay stay
            WHERE int4range(stay.room_id, stay.room_id, '[]') = int4range(wanted_room, wanted_room, '[]')
              AND stay.nights && wanted AND stay.status IN ('held', 'confirmed', 'out_of_service')
            FOR NO KEY UPDATE
        LOOP
            CONTINUE WHEN old.status <> 'held' OR old.expires_at > clock_timestamp();
            lapsed := lapsed + 1;
            UPDATE locks_stay stay SET status = 'expired' WHERE stay.id = old.id;
            DELETE FROM public.tenants_dueitem item
            WHERE item.hotel_id = hotel AND item.kind = 'hold' AND item.item_id = old.id;
        {_EXPIRED}
            IF heard THEN
                PERFORM locks_changed(hotel, 'hold.expired', ARRAY[old.id]);
            END IF;
        END LOOP;
    END IF;
    IF heard THEN  -- who waits for this room goes first: then it is taken below
        PERFORM locks_offer(hotel, zone, wanted_room, wanted);
    END IF;

    created_at := clock_timestamp();
    expires_at := created_at + make_interval(secs => seconds);
    INSERT INTO locks_stay (id, room_id, nights, status, fence, token_digest, holder, session, reference,
        reason, created_at, expires_at, max_expires_at, extensions_left)
    VALUES (hold, wanted_room, wanted, 'held', fence, digest, client, visit, booking,
        '', created_at, expires_at, created_at + make_interval(secs => life), extensions)
    ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    INSERT INTO public.tenants_dueitem (hotel_id, kind, item_id, due_at, claim_at, claims)
    VALUES (hotel, 'hold', hold, expires_at, expires_at, 0);
    {_ACQUIRED}
    IF heard THEN
        PERFORM locks_changed(hotel, 'hold.created', ARRAY[hold]);
    END IF;
    id := hold; room_id := wanted_room; check_in := lower(wanted); check_out := upper(wanted);
    status := 'held'; extensions_left := extensions; seconds_left := seconds; holder := client;
    session := visit; reference := booking; reason := '';
""",
)

# The row is locked, then judged: whoever waited for it sees what it has become, at the time it is then.
_OWNED = """
DECLARE
    held record;
BEGIN
    SELECT stay.*, room.number AS room_number, room.room_type AS type_of_room INTO held
    FROM locks_stay stay JOIN locks_room room ON room.id = stay.room_id
    WHERE stay.id = hold FOR NO KEY UPDATE OF stay;
    IF NOT FOUND OR held.status <> 'held'
       OR (held.token_digest <> digest AND held.holder IS DISTINCT FROM staff) {refused} THEN
        RETURN;
    END IF;
    UPDATE locks_stay stay SET {change} WHERE stay.id = hold
    RETURNING stay.id, stay.group_id, stay.room_id, lower(stay.nights), upper(stay.nights), stay.status,
        stay.fence, stay.expires_at, stay.extensions_left,
        greatest(0, floor(extract(epoch FROM stay.expires_at - clock_timestamp())))::int, stay.holder,
        stay.session, stay.reference, stay.reason, stay.created_at
    INTO id, group_id, room_id, check_in, check_out, status, fence, expires_at, extensions_left, seconds_left,
        holder, session, reference, reason, created_at;
    number := held.room_number; room_type := held.type_of_room;
    {due}
    {event}
    {told}
"""

_NOT_DUE = """
    DELETE FROM public.tenants_dueitem item
    WHERE item.hotel_id = hotel AND item.kind = 'hold' AND item.item_id = hold;
"""
_DUE = """
    INSERT INTO public.tenants_dueitem AS item (hotel_id, kind, item_id, due_at, claim_at, claims)
    VALUES (hotel, 'hold', hold, expires_at, expires_at, 0)
    ON CONFLICT (hotel_id, kind, item_id)
    DO UPDATE SET due_at = excluded.due_at, claim_at = excluded.claim_at, claims = 0;
"""


def _told(event: str) -> str:
    return f"""
    IF {_HEARD} THEN
        PERFORM locks_changed(hotel, '{event}', ARRAY[hold]);
    END IF;
"""


def _owned(
    name: str, *, parameters: str = "", refused: str, change: str, due: str, drawn: str = "", told: str = ""
) -> str:
    event = _event(
        "form", key="(form ->> 'id')::uuid", hold="hold", drawn=_DATES.format("held.nights") + drawn
    )
    return _FUNCTION.format(
        name=name,
        parameters=f"hold uuid, digest bytea, staff text, hotel uuid, form jsonb{parameters}",
        more="",
        body=_OWNED.format(refused=refused, change=change, due=due, event=event, told=told),
    )


EXTEND = _owned(
    "locks_extend",
    parameters=", seconds int",
    refused="""OR held.expires_at <= clock_timestamp()
       OR held.extensions_left = 0 OR held.expires_at >= held.max_expires_at""",
    change="""extensions_left = stay.extensions_left - 1,
        expires_at = least(stay.expires_at + make_interval(secs => seconds), stay.max_expires_at)""",
    due=_DUE,
    drawn=", 'expires_at', expires_at, 'extensions_left', extensions_left",
)
RELEASE = _owned(
    "locks_release",
    refused="",
    change="status = 'released'",
    due=_NOT_DUE,
    told=_told("hold.released"),
)
CONFIRM = _owned(
    "locks_confirm",
    parameters=", given_fence bigint, booking text",
    refused="OR held.expires_at <= clock_timestamp() OR held.fence <> given_fence",
    change="status = 'confirmed', reference = coalesce(nullif(booking, ''), stay.reference)",
    due=_NOT_DUE,
    drawn=", 'fence', fence, 'reference', reference",
    told=_told("hold.confirmed"),
)

NAMES = ["locks_acquire", "locks_extend", "locks_release", "locks_confirm"]


class Migration(migrations.Migration):
    dependencies = [("locks", "0001_initial"), ("audit", "0001_initial"), ("tenants", "0001_initial")]

    operations = [
        migrations.RunSQL([ACQUIRE, EXTEND, RELEASE, CONFIRM], [f"DROP FUNCTION {name}" for name in NAMES])
    ]
