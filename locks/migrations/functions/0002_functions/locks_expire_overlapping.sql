-- Ends the expired holds of a room that include any of the given nights, and returns the number of ended holds.
-- Until an expired hold is ended, the exclusion constraint rejects other holds on the same nights.
-- The caller must have locked the room.
--
-- The function waits for holds that another transaction is changing, because that transaction may confirm the hold.
CREATE OR REPLACE FUNCTION public.locks_expire_overlapping(
    context jsonb, checked_room int, checked_nights daterange
) RETURNS int
LANGUAGE plpgsql AS $$
DECLARE
    hold record;
    expired int := 0;
BEGIN
    FOR hold IN
        SELECT id FROM locks_allocation
        WHERE locks_room_range(room_id) = locks_room_range(checked_room) AND nights && checked_nights
          AND locks_occupies(status) AND status = 'held' AND expires_at <= clock_timestamp()
        ORDER BY id FOR NO KEY UPDATE
    LOOP
        UPDATE locks_allocation SET status = 'expired' WHERE id = hold.id;
        PERFORM locks_publish(context, 'hold.expired', '{holder}', hold.id);
        expired := expired + 1;
    END LOOP;
    RETURN expired;
END
$$;
