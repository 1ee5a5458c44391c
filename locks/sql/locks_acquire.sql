-- Holds rooms for some nights: all of them or none.
--
-- request: an object with the keys
--   hotel, time_zone, actor    as in every call, see audit_record for the actor
--   rooms                      the ids of the rooms in ascending order, or null for any rooms of a type. Arrays and
--                              ranges are in PostgreSQL's text form: {1,2} and [2030-01-01,2030-01-03)
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
        -- Guests on the waiting list come first. A room that one of them is offered is no longer available here.
        FOREACH next_room IN ARRAY room_ids LOOP
            PERFORM FROM locks_room WHERE id = next_room FOR NO KEY UPDATE;
            expired := expired + locks_expire_overlapping(request, next_room, requested_nights);
            PERFORM locks_offer((request ->> 'hotel')::uuid, request ->> 'time_zone', next_room, requested_nights);
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
    IF group_id IS NOT NULL THEN
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
