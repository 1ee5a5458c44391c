-- Updates the waiting list after a change to an allocation.
-- If the allocation is a hold that was offered to a waiting list entry, the entry becomes claimed or expired.
-- If the event frees a room, the waiting list entries that the room suits get due items for a worker.
-- A worker then offers the room to these entries, one after the other (locks/waiting_list/offers.py).
-- This function locks the due items of the scheduled waiting list entries, but not the entries themselves.
-- A worker first locks the due item of a waiting list entry, and then looks for a free room for the entry.
--
-- The argument `freed` is the allocation that has changed, in the format of the function locks_describe.
-- After a move, `freed` has the old room and the old nights of the allocation.
CREATE OR REPLACE FUNCTION public.locks_update_waiting_list(
    hotel uuid, event_type text, freed jsonb
) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    freed_hold uuid := freed ->> 'id';
    freed_nights daterange := daterange((freed ->> 'check_in')::date, (freed ->> 'check_out')::date);
    changed_at timestamptz := clock_timestamp();
    room record;
    entry record;
BEGIN
    IF event_type IN ('hold.acquired', 'hold.extended', 'room.closed', 'waiting_list.offered') THEN
        RETURN;
    END IF;
    FOR entry IN
        SELECT id FROM locks_waitinglistentry
        WHERE hold_id = freed_hold AND status = 'offered'
        FOR NO KEY UPDATE
    LOOP
        IF event_type = 'hold.confirmed' THEN
            UPDATE locks_waitinglistentry SET status = 'claimed', ended_at = changed_at
            WHERE id = entry.id;
        ELSIF event_type LIKE 'hold.%' THEN
            UPDATE locks_waitinglistentry SET status = 'expired', ended_at = changed_at
            WHERE id = entry.id;
            PERFORM audit_record(
                NULL, 'waiting_list.offer_expired', 'waiting_list_entry', entry.id::text,
                jsonb_build_object('hold', freed_hold));
        END IF;
    END LOOP;
    IF event_type = 'hold.confirmed' THEN
        RETURN;
    END IF;
    SELECT id, room_type, capacity INTO room FROM locks_room WHERE id = (freed -> 'room_id')::int;
    -- Sorting by id prevents deadlocks between transactions that free rooms for the same waiting list entries.
    FOR entry IN
        SELECT waiting.id FROM locks_waitinglistentry waiting
        WHERE waiting.status = 'waiting' AND waiting.nights && freed_nights
          AND locks_room_suits(
              room.id, room.room_type, room.capacity, waiting.room_id, waiting.room_type, waiting.guests)
        ORDER BY waiting.id
    LOOP
        PERFORM tenants_schedule_due(hotel, 'waiting', entry.id, changed_at);
    END LOOP;
END
$$;
