-- Offers a room to suitable waiting list entries whose nights overlap with the given nights.
-- The oldest waiting list entry comes first. An entry is skipped if the room is not free on all of its nights.
-- An offer is a hold for the client that created the waiting list entry.
--
-- Returns false if another transaction has locked the room.
-- Rooms and waiting list entries that another transaction has locked are skipped.
-- A transaction that has locked a row may be waiting for the caller, so waiting for that transaction could deadlock.
-- A locked waiting list entry needs no offer: the other transaction offers a different room or cancels the entry.
--
-- A room with an expired hold is not offered. When a worker ends the hold, the waiting list is processed again.
CREATE OR REPLACE FUNCTION public.locks_offer(
    hotel uuid, time_zone text, offered_room int, offered_nights daterange
) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    room record;
    entry record;
    offer_id uuid;
    offered_at timestamptz;
    offered_until timestamptz;
BEGIN
    SELECT id, room_type, capacity, fencing_token INTO room
    FROM locks_room WHERE id = offered_room FOR NO KEY UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    FOR entry IN
        SELECT waiting.id, waiting.nights, waiting.holder, waiting.session, waiting.reference, waiting.offer_seconds
        FROM locks_waitinglistentry waiting
        WHERE waiting.status = 'waiting' AND waiting.nights && offered_nights
          AND lower(waiting.nights) >= (clock_timestamp() AT TIME ZONE time_zone)::date
          AND locks_room_suits(
              room.id, room.room_type, room.capacity, waiting.room_id, waiting.room_type, waiting.guests)
        ORDER BY waiting.joined_at, waiting.id
    LOOP
        CONTINUE WHEN EXISTS (
            SELECT FROM locks_allocation
            WHERE locks_room_range(room_id) = locks_room_range(offered_room) AND nights && entry.nights
              AND locks_occupies(status));
        PERFORM FROM locks_waitinglistentry
        WHERE id = entry.id AND status = 'waiting' FOR NO KEY UPDATE SKIP LOCKED;
        CONTINUE WHEN NOT FOUND;

        room.fencing_token := room.fencing_token + 1;
        UPDATE locks_room SET fencing_token = room.fencing_token WHERE id = offered_room;
        offer_id := tenants_uuid7();
        offered_at := clock_timestamp();
        offered_until := offered_at + make_interval(secs => entry.offer_seconds);
        -- The hold of an offer has a random token that no client knows.
        -- A client that claims the offer gets a new token for the hold.
        INSERT INTO locks_allocation (
            id, room_id, nights, status, fencing_token, token_digest, holder, session, reference, reason,
            created_at, expires_at, max_expires_at, extensions_left)
        VALUES (
            offer_id, offered_room, entry.nights, 'held', room.fencing_token,
            sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())),
            entry.holder, entry.session, entry.reference, '', offered_at, offered_until, offered_until, 0)
        ON CONFLICT DO NOTHING;
        CONTINUE WHEN NOT FOUND;
        UPDATE locks_waitinglistentry SET status = 'offered', hold_id = offer_id WHERE id = entry.id;
        PERFORM locks_publish(
            jsonb_build_object('hotel', hotel), 'waiting_list.offered',
            '{waiting_list_entry,expires_at,fencing_token}', offer_id,
            jsonb_build_object('waiting_list_entry', entry.id));
    END LOOP;
    RETURN true;
END
$$;
