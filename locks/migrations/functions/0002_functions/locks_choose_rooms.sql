-- Returns the ids of free rooms that have the requested type and enough space for the guests, in ascending order.
-- The result has as many rooms as requested, or fewer if not enough rooms are free.
--
-- The argument `wait` says whether the caller will wait for rooms that other transactions have locked.
--   If `wait` is true, the rooms are chosen at random, so that callers do not all wait for the same room.
--   If `wait` is false, rooms that other transactions have locked are skipped, so callers get different rooms.
--   If `wait` is false, the remaining rooms with the smallest capacity are chosen, and the function locks them.
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
