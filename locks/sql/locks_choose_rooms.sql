-- Returns the ids of free rooms of a type with space for a number of guests, in ascending order: as many as requested,
-- or fewer if there are not enough.
--
-- wait: whether the caller is going to wait for rooms that other transactions have locked. The rooms are chosen at random
--   then, so that not all callers wait for the same room. Otherwise the smallest rooms are chosen and locked, and locked
--   rooms are skipped: concurrent callers get different rooms instead of waiting for each other.
CREATE OR REPLACE FUNCTION public.locks_choose_rooms(
    requested_type text, guests int, requested_nights daterange, requested_rooms int, wait boolean
) RETURNS int[]
LANGUAGE plpgsql AS $$
DECLARE
    room_ids int[];
BEGIN
    IF wait THEN
        SELECT array_agg(room.id ORDER BY room.id) INTO room_ids FROM (
            SELECT id FROM locks_room
            WHERE room_type = requested_type AND capacity >= guests
              AND NOT EXISTS (
                  SELECT FROM locks_allocation allocation
                  WHERE allocation.room_id = locks_room.id AND allocation.nights && requested_nights
                    AND locks_occupies_at(allocation.status, allocation.expires_at, clock_timestamp()))
            ORDER BY random() LIMIT requested_rooms
        ) AS room;
    ELSE
        SELECT array_agg(room.id ORDER BY room.id) INTO room_ids FROM (
            SELECT id FROM locks_room
            WHERE room_type = requested_type AND capacity >= guests
              AND NOT EXISTS (
                  SELECT FROM locks_allocation allocation
                  WHERE allocation.room_id = locks_room.id AND allocation.nights && requested_nights
                    AND locks_occupies_at(allocation.status, allocation.expires_at, clock_timestamp()))
            ORDER BY capacity, id LIMIT requested_rooms FOR NO KEY UPDATE SKIP LOCKED
        ) AS room;
    END IF;
    RETURN coalesce(room_ids, '{}');
END
$$;
