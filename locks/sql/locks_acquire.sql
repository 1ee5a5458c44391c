-- Holds rooms for some nights: all of them or none.
--
-- request: an object with the keys
--   hotel, time_zone, actor    as in every call, see audit_record for the actor
--   rooms                      the ids of the rooms in ascending order, or null for any rooms of a type
--   room_type, guests          the type, and the number of guests that each room must have space for
--   wait                       whether to wait for rooms of the type that other transactions have locked
--   nights                     the nights, as a range of dates
--   holds, group_id            the ids of the new holds, one per room, and the id that they share, or null
--   digest                     the digest of the token that the holds share
--   holder, session, reference
--   client_limit, session_limit       how many rooms the client and the guest session may hold at a time
--   hold_seconds, lifetime_seconds    when the holds expire, and until when they can be extended
--   extensions
--
-- Returns an object with the keys
--   expired    the number of expired holds that occupied the rooms and were ended
--   holds      the new holds, as locks_describe returns them, or null if nothing is held
--
-- A request that can't succeed returns before it locks anything, so it does not wait. The caller finds out why.
-- All transactions that allocate rooms lock them first, in ascending order. The constraint has the last word.
CREATE OR REPLACE FUNCTION public.locks_acquire(request jsonb) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
    params record;
    found_state record;
    room_ids int[];
    next_room int;
    room_token bigint;
    new_token bigint := 0;
    expired_here int;
    expired int := 0;
    acquired_at timestamptz;
    new_holds jsonb := '[]';
BEGIN
    SELECT * INTO params FROM jsonb_to_record(request) AS fields (
        hotel uuid, time_zone text, rooms int[], room_type text, guests int, wait boolean, nights daterange,
        holds uuid[], group_id uuid, digest bytea, holder text, session text, reference text,
        client_limit int, session_limit int, hold_seconds int, lifetime_seconds int, extensions int);

    SELECT count(*) + cardinality(params.holds) > params.client_limit
            OR params.session <> '' AND cardinality(params.holds)
                + count(*) FILTER (WHERE hold.session = params.session) > params.session_limit
            OR lower(params.nights) < (clock_timestamp() AT TIME ZONE params.time_zone)::date AS is_refused,
        EXISTS (SELECT FROM locks_waitinglistentry WHERE status = 'waiting') AS has_entries
    INTO found_state
    FROM (
        SELECT session FROM locks_allocation
        WHERE holder = params.holder AND status = 'held' AND expires_at > clock_timestamp()
        LIMIT params.client_limit
    ) AS hold;
    IF found_state.is_refused THEN
        RETURN jsonb_build_object('expired', 0, 'holds', NULL);
    END IF;

    room_ids := params.rooms;
    IF room_ids IS NULL THEN
        room_ids := locks_choose_rooms(
            params.room_type, params.guests, params.nights, cardinality(params.holds), params.wait);
        IF cardinality(room_ids) < cardinality(params.holds) THEN
            RETURN jsonb_build_object('expired', 0, 'holds', NULL);
        END IF;
    END IF;

    FOREACH next_room IN ARRAY room_ids LOOP
        IF EXISTS (
            SELECT FROM locks_allocation
            WHERE locks_room_range(room_id) = locks_room_range(next_room) AND nights && params.nights
              AND locks_occupies_at(status, expires_at, clock_timestamp()))
        THEN
            RETURN jsonb_build_object('expired', 0, 'holds', NULL);
        END IF;
    END LOOP;
    IF found_state.has_entries THEN
        -- Guests on the waiting list come first. A room that one of them is offered is no longer available here.
        FOREACH next_room IN ARRAY room_ids LOOP
            PERFORM FROM locks_room WHERE id = next_room FOR NO KEY UPDATE;
            expired := expired + locks_expire_overlapping(request, next_room, params.nights);
            PERFORM locks_offer(params.hotel, params.time_zone, next_room, params.nights);
        END LOOP;
    END IF;
    -- The rooms of a group get the same fencing token: one more than the largest that any of them had.
    FOREACH next_room IN ARRAY room_ids LOOP
        UPDATE locks_room SET fencing_token = fencing_token + 1 WHERE id = next_room
        RETURNING fencing_token INTO room_token;
        IF NOT FOUND THEN
            RETURN jsonb_build_object('expired', expired, 'holds', NULL);
        END IF;
        new_token := greatest(new_token, room_token);
    END LOOP;
    IF params.group_id IS NOT NULL THEN
        UPDATE locks_room SET fencing_token = new_token WHERE id = ANY (room_ids) AND fencing_token < new_token;
    END IF;

    acquired_at := clock_timestamp();
    FOR room_index IN 1 .. cardinality(room_ids) LOOP
        LOOP
            -- ON CONFLICT: an INSERT without it can deadlock with a transaction whose row it conflicts with.
            INSERT INTO locks_allocation (
                id, group_id, room_id, nights, status, fencing_token, token_digest, holder, session, reference,
                reason, created_at, expires_at, max_expires_at, extensions_left)
            VALUES (
                params.holds[room_index], params.group_id, room_ids[room_index], params.nights, 'held', new_token,
                params.digest, params.holder, params.session, params.reference,
                '', acquired_at, acquired_at + make_interval(secs => params.hold_seconds),
                acquired_at + make_interval(secs => params.lifetime_seconds), params.extensions)
            ON CONFLICT DO NOTHING;
            EXIT WHEN FOUND;
            expired_here := locks_expire_overlapping(request, room_ids[room_index], params.nights);
            IF expired_here = 0 THEN
                DELETE FROM locks_allocation WHERE group_id = params.group_id;
                RETURN jsonb_build_object('expired', expired, 'holds', NULL);
            END IF;
            expired := expired + expired_here;
        END LOOP;
    END LOOP;
    FOR room_index IN 1 .. cardinality(room_ids) LOOP
        new_holds := new_holds || locks_publish(
            request, 'hold.acquired', '{expires_at,fencing_token,reference}', params.holds[room_index]);
    END LOOP;
    RETURN jsonb_build_object('expired', expired, 'holds', new_holds);
END
$$;
