-- Holds rooms for some nights: all of the requested rooms, or none.
--
-- The argument `request` is a JSON object with the parameters of the request.
-- Arrays and ranges in the request have PostgreSQL's text format.
--   The keys `hotel` and `time_zone` of the request contain the id and the time zone of the hotel.
--   The key `actor` of the request contains the actor who holds the rooms, in the format of the function audit_record.
--   The key `rooms` of the request contains the ids of the rooms in ascending order, or null for any rooms of a type.
--   The keys `room_type` and `guests` of the request are the type and minimum capacity of the rooms if `rooms` is null.
--   If the key `wait` of the request is true, the function waits for rooms that other transactions have locked.
--   The key `nights` of the request contains the requested nights as a range of dates.
--   The key `holds` of the request contains the ids of the new holds, one for each room.
--   The key `group_id` of the request contains the id that the new holds share as a group, or null for a single hold.
--   The key `digest` of the request contains the digest of the owner token, which all new holds share.
--   The keys `holder`, `session` and `reference` of the request contain the values of these columns in the new holds.
--   The key `client_limit` of the request is the maximum number of rooms that the client may hold.
--   The key `session_limit` of the request is the maximum number of rooms that the guest session may hold.
--   The key `hold_seconds` of the request contains the number of seconds until the new holds expire.
--   The key `lifetime_seconds` of the request is the maximum lifetime of the holds in seconds, with all extensions.
--   The key `extensions` of the request contains the number of times that the new holds can be extended.
--
-- Returns a JSON object with the keys `expired` and `holds`.
--   The key `expired` of the result is the number of expired holds on the requested rooms that the function ended.
--   The key `holds` of the result contains the new holds in the format of locks_describe, or null if no room was held.
--
-- A request that can't succeed returns before it locks anything, so it does not wait for other transactions.
-- If the function returns no holds, the caller runs other queries to find the reason for the refusal.
-- All transactions that allocate rooms lock the rooms first, in ascending order, so they can't deadlock.
-- The exclusion constraint of the allocations ensures that no room is allocated twice for the same night.
CREATE OR REPLACE FUNCTION public.locks_acquire(request jsonb) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
    room_ids int[] := request ->> 'rooms';
    hold_ids uuid[] := request ->> 'holds';
    group_id uuid := request ->> 'group_id';
    requested_nights daterange := request ->> 'nights';
    checked_at timestamptz := clock_timestamp();
    acquired_at timestamptz;
    current_state record;
    next_room int;
    room_token bigint;
    new_token bigint := 0;
    hold_id uuid;
    expired_here int;
    expired int := 0;
    new_holds jsonb := '[]';
BEGIN
    SELECT cardinality(hold_ids) + count(*) > (request -> 'client_limit')::int
            OR request ->> 'session' <> '' AND cardinality(hold_ids)
                + count(*) FILTER (WHERE hold.session = request ->> 'session') > (request -> 'session_limit')::int
            OR lower(requested_nights) < (checked_at AT TIME ZONE (request ->> 'time_zone'))::date AS is_refused,
        EXISTS (SELECT FROM locks_waitinglistentry WHERE status = 'waiting') AS has_entries
    INTO current_state
    FROM (
        SELECT session FROM locks_allocation
        WHERE holder = request ->> 'holder' AND status = 'held' AND expires_at > checked_at
        ORDER BY expires_at LIMIT (request -> 'client_limit')::int
    ) AS hold;
    IF current_state.is_refused THEN
        RETURN '{"expired": 0, "holds": null}';
    END IF;

    IF room_ids IS NULL THEN
        room_ids := locks_choose_rooms(
            request ->> 'room_type', (request -> 'guests')::int, requested_nights, cardinality(hold_ids),
            (request -> 'wait')::boolean);
        IF cardinality(room_ids) < cardinality(hold_ids) THEN
            RETURN '{"expired": 0, "holds": null}';
        END IF;
    END IF;

    FOREACH next_room IN ARRAY room_ids LOOP
        IF EXISTS (
            SELECT FROM locks_allocation
            WHERE locks_room_range(room_id) = locks_room_range(next_room) AND nights && requested_nights
              AND locks_occupies_at(status, expires_at, checked_at))
        THEN
            RETURN '{"expired": 0, "holds": null}';
        END IF;
    END LOOP;
    IF current_state.has_entries THEN
        -- First offer the requested rooms to clients on the waiting list. An offered room is not free for this request.
        FOREACH next_room IN ARRAY room_ids LOOP
            PERFORM FROM locks_room WHERE id = next_room FOR NO KEY UPDATE;
            expired := expired + locks_expire_overlapping(request, next_room, requested_nights);
            PERFORM locks_offer((request ->> 'hotel')::uuid, request ->> 'time_zone', next_room, requested_nights);
        END LOOP;
    END IF;
    -- All rooms of a group get the same fencing token, which is larger than the previous token of each room.
    FOREACH next_room IN ARRAY room_ids LOOP
        UPDATE locks_room SET fencing_token = fencing_token + 1 WHERE id = next_room
        RETURNING fencing_token INTO room_token;
        IF NOT FOUND THEN
            RETURN jsonb_build_object('expired', expired, 'holds', NULL);
        END IF;
        new_token := greatest(new_token, room_token);
    END LOOP;
    IF group_id IS NOT NULL THEN
        UPDATE locks_room SET fencing_token = new_token WHERE id = ANY (room_ids) AND fencing_token < new_token;
    END IF;

    acquired_at := clock_timestamp();
    FOR room_index IN 1 .. cardinality(room_ids) LOOP
        LOOP
            -- ON CONFLICT prevents a deadlock between two transactions that insert conflicting rows.
            INSERT INTO locks_allocation (
                id, group_id, room_id, nights, status, fencing_token, token_digest, holder, session, reference,
                reason, created_at, expires_at, max_expires_at, extensions_left)
            VALUES (
                hold_ids[room_index], group_id, room_ids[room_index], requested_nights, 'held', new_token,
                (request ->> 'digest')::bytea, request ->> 'holder', request ->> 'session', request ->> 'reference',
                '', acquired_at, acquired_at + make_interval(secs => (request -> 'hold_seconds')::int),
                acquired_at + make_interval(secs => (request -> 'lifetime_seconds')::int),
                (request -> 'extensions')::int)
            ON CONFLICT DO NOTHING;
            EXIT WHEN FOUND;
            expired_here := locks_expire_overlapping(request, room_ids[room_index], requested_nights);
            IF expired_here = 0 THEN
                DELETE FROM locks_allocation WHERE id = ANY (hold_ids);
                RETURN jsonb_build_object('expired', expired, 'holds', NULL);
            END IF;
            expired := expired + expired_here;
        END LOOP;
    END LOOP;
    FOREACH hold_id IN ARRAY hold_ids LOOP
        new_holds := new_holds || locks_publish(
            request, 'hold.acquired', '{expires_at,fencing_token,reference}', hold_id);
    END LOOP;
    RETURN jsonb_build_object('expired', expired, 'holds', new_holds);
END
$$;
