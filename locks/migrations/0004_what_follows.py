"""What follows when a room is taken or given back: webhooks are told, and who waits gets a turn.

Beside the one-room functions of 0002, which call these in their own message, and only where somebody is to be told
or waits: a hotel without either pays one look at two tables that are empty. As there, plans are generic and read
no whole table.
"""

# ruff: noqa: S608 - the functions are put together from constants

from django.db import migrations

from audit.sql import NOBODY, event_insert

_SETTINGS = "SET plan_cache_mode = force_generic_plan SET enable_seqscan = off"

# UUID version 7: a version 4 with the milliseconds put in its first six bytes and two bits of its version set.
# PostgreSQL has its own from 18 on.
NEW_ID = """
CREATE FUNCTION locks_new_id() RETURNS uuid LANGUAGE sql VOLATILE AS $$
SELECT encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid()) PLACING
    substring(int8send(floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3)
    FROM 1 FOR 6), 52, 1), 53, 1), 'hex')::uuid
$$
"""

# Nobody asked for what befalls who waits.
_MISSED = event_insert(
    "waiting.missed",
    key="locks_new_id()",
    actor=NOBODY,
    subject=("waiting", "missed.id"),
    data="jsonb_build_object('hold', missed.hold_id)",
)
_OFFERED = event_insert(
    "waiting.offered",
    key="locks_new_id()",
    actor=NOBODY,
    subject=("hold", "hold"),
    data="""jsonb_build_object('waiting', next_one.id, 'room', place.number, 'check_in', lower(next_one.nights),
        'check_out', upper(next_one.nights), 'expires_at', until, 'fencing_token', given)""",
)

# `happened` to these stays, which are as they were or as they have become: rooms and nights are the same.
# 1. Each webhook that asked for it gets its notice, and the worker an item.
# 2. Who wants to know that a hold is about to end is told by a worker, which knows when that is.
# 3. An offer that was confirmed was taken up; one that has ended is missed.
# 4. What frees a room is looked at for each that waits for it. In the order of their ids: two transactions that free
#    rooms for the same entries meet in one order. The entries themselves are not locked: that is the worker's.
# Says whether somebody waits who could have one of these rooms now, were it not for these stays.
CHANGED = f"""
CREATE FUNCTION locks_changed(of_hotel uuid, happened text, ids uuid[]) RETURNS boolean
LANGUAGE plpgsql {_SETTINGS} AS $$
#variable_conflict use_column
DECLARE
    missed record;
BEGIN
    IF EXISTS (SELECT FROM locks_webhook WHERE active) THEN
        WITH written AS (
            INSERT INTO locks_webhookdelivery (id, webhook_id, event, data, status, attempts)
            SELECT locks_new_id(), webhook.id, happened, jsonb_build_object(
                    'hold', stay.id, 'group', stay.group_id, 'room', stay.room_id, 'number', room.number,
                    'room_type', room.room_type, 'check_in', lower(stay.nights),
                    'check_out', upper(stay.nights), 'status', stay.status, 'fencing_token', stay.fencing_token,
                    'expires_at', stay.expires_at, 'session', stay.session, 'reference', stay.reference)
                || CASE WHEN happened = 'waiting.offered' THEN jsonb_build_object('waiting', (
                    SELECT entry.id FROM locks_waitingentry entry
                    WHERE entry.hold_id = stay.id AND entry.status = 'offered')) ELSE '{{}}' END,
                'pending', 0
            FROM locks_webhook webhook
            JOIN locks_allocation stay ON stay.id = ANY(ids)
            JOIN locks_room room ON room.id = stay.room_id
            WHERE webhook.active AND happened = ANY(webhook.events)
            ORDER BY stay.id, webhook.id
            RETURNING id)
        INSERT INTO public.tenants_dueitem (hotel_id, kind, item_id, due_at, claim_at, claims)
        SELECT of_hotel, 'webhook', written.id, clock_timestamp(), clock_timestamp(), 0 FROM written;

        IF happened = 'hold.created' AND EXISTS (
            SELECT FROM locks_webhook WHERE active AND 'hold.expiring_soon' = ANY(events))
        THEN
            INSERT INTO public.tenants_dueitem (hotel_id, kind, item_id, due_at, claim_at, claims)
            SELECT of_hotel, 'expiring', made.id, clock_timestamp(), clock_timestamp(), 0
            FROM unnest(ids) AS made (id) ON CONFLICT DO NOTHING;
        END IF;
    END IF;

    IF happened IN ('waiting.offered', 'hold.expiring_soon')
       OR NOT EXISTS (SELECT FROM locks_waitingentry WHERE status IN ('waiting', 'offered'))
    THEN
        RETURN false;
    END IF;
    IF happened = 'hold.created' THEN
        RETURN EXISTS (
            SELECT FROM locks_allocation taken
            JOIN locks_room room ON room.id = taken.room_id
            JOIN locks_waitingentry entry ON entry.status = 'waiting' AND entry.nights && taken.nights
                AND (entry.room_id = room.id OR (entry.room_id IS NULL
                    AND entry.room_type = room.room_type AND entry.guests <= room.capacity))
            WHERE taken.id = ANY(ids) AND NOT EXISTS (
                SELECT FROM locks_allocation stay
                WHERE int4range(stay.room_id, stay.room_id, '[]') = int4range(room.id, room.id, '[]')
                  AND stay.nights && entry.nights AND stay.status IN ('held', 'confirmed', 'out_of_service')
                  AND stay.id <> ALL(ids)));
    END IF;
    IF happened = 'hold.confirmed' THEN
        UPDATE locks_waitingentry entry SET status = 'claimed', ended_at = clock_timestamp()
        WHERE entry.hold_id = ANY(ids) AND entry.status = 'offered';
        RETURN false;
    END IF;
    IF happened IN ('hold.released', 'hold.expired') THEN
        FOR missed IN
            UPDATE locks_waitingentry entry SET status = 'lapsed', ended_at = clock_timestamp()
            WHERE entry.hold_id = ANY(ids) AND entry.status = 'offered' RETURNING entry.*
        LOOP
            {_MISSED}
        END LOOP;
    END IF;
    INSERT INTO public.tenants_dueitem AS item (hotel_id, kind, item_id, due_at, claim_at, claims)
    SELECT of_hotel, 'waiting', entry.id, clock_timestamp(), clock_timestamp(), 0
    FROM locks_waitingentry entry
    WHERE entry.status = 'waiting' AND EXISTS (
        SELECT FROM locks_allocation stay JOIN locks_room room ON room.id = stay.room_id
        WHERE stay.id = ANY(ids) AND stay.nights && entry.nights
          AND (entry.room_id = room.id OR (entry.room_id IS NULL
              AND entry.room_type = room.room_type AND entry.guests <= room.capacity)))
    ORDER BY entry.id
    ON CONFLICT (hotel_id, kind, item_id)
    DO UPDATE SET due_at = excluded.due_at, claim_at = excluded.claim_at, claims = 0;
    RETURN false;
END
$$
"""

# A room, on nights on which it may be free, is offered to who waits for it, in the order in which they joined; who
# can't have it on all of their nights is passed over. What has lapsed and was not ended yet still stands in the way:
# ending it makes the entry due again. False where somebody else is at work on the room.
#
# The room is locked, so nothing new comes to stand in it. Neither it nor an entry is waited for: who has one of them
# locked may be waiting for what the caller holds. An entry that is locked gets another room at this moment, or leaves.
OFFER = f"""
CREATE FUNCTION locks_offer(of_hotel uuid, zone text, wanted_room int, free daterange) RETURNS boolean
LANGUAGE plpgsql {_SETTINGS} AS $$
#variable_conflict use_column
DECLARE
    place record; next_one record; hold uuid; given bigint; made timestamptz; until timestamptz;
BEGIN
    SELECT room.number, room.room_type, room.capacity INTO place
    FROM locks_room room WHERE room.id = wanted_room FOR NO KEY UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    FOR next_one IN
        SELECT entry.* FROM locks_waitingentry entry
        WHERE entry.status = 'waiting' AND entry.nights && free
          AND lower(entry.nights) >= (clock_timestamp() AT TIME ZONE zone)::date
          AND (entry.room_id = wanted_room OR (entry.room_id IS NULL
              AND entry.room_type = place.room_type AND entry.guests <= place.capacity))
        ORDER BY entry.joined_at, entry.id
    LOOP
        CONTINUE WHEN EXISTS (
            SELECT FROM locks_allocation stay
            WHERE int4range(stay.room_id, stay.room_id, '[]') = int4range(wanted_room, wanted_room, '[]')
              AND stay.nights && next_one.nights AND stay.status IN ('held', 'confirmed', 'out_of_service'));
        PERFORM FROM locks_waitingentry entry
        WHERE entry.id = next_one.id AND entry.status = 'waiting' FOR NO KEY UPDATE SKIP LOCKED;
        CONTINUE WHEN NOT FOUND;

        UPDATE locks_room room SET fencing_token = room.fencing_token + 1 WHERE room.id = wanted_room
        RETURNING room.fencing_token INTO given;
        hold := locks_new_id();
        made := clock_timestamp();
        until := made + make_interval(secs => next_one.offer_seconds);
        -- Nobody has the token whose digest this is: who claims the offer gets one.
        INSERT INTO locks_allocation (id, room_id, nights, status, fencing_token, token_digest, holder, session, reference,
            reason, created_at, expires_at, max_expires_at, extensions_left)
        VALUES (hold, wanted_room, next_one.nights, 'held', given,
            sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())), next_one.holder,
            next_one.session, next_one.reference, '', made, until, until, 0)
        ON CONFLICT DO NOTHING;
        CONTINUE WHEN NOT FOUND;
        INSERT INTO public.tenants_dueitem (hotel_id, kind, item_id, due_at, claim_at, claims)
        VALUES (of_hotel, 'hold', hold, until, until, 0);
        UPDATE locks_waitingentry entry SET status = 'offered', hold_id = hold WHERE entry.id = next_one.id;
        {_OFFERED}
        PERFORM locks_changed(of_hotel, 'hold.created', ARRAY[hold]);
        PERFORM locks_changed(of_hotel, 'waiting.offered', ARRAY[hold]);
    END LOOP;
    RETURN true;
END
$$
"""

NAMES = ["locks_new_id", "locks_changed", "locks_offer"]


class Migration(migrations.Migration):
    dependencies = [
        ("locks", "0003_waiting_and_webhooks"),
        ("audit", "0001_initial"),
        ("tenants", "0001_initial"),
    ]

    operations = [
        migrations.RunSQL([NEW_ID, CHANGED, OFFER], [f"DROP FUNCTION {name}" for name in reversed(NAMES)])
    ]
