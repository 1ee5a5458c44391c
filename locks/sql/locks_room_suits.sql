-- Returns whether a room suits a waiting list entry.
-- If a waiting list entry requests a specific room, only that room suits the entry.
-- If the waiting list entry requests a room type, each room of this type with enough capacity suits the entry.
-- PostgreSQL inlines this function into the calling query, so the query makes no function call for each row.
CREATE OR REPLACE FUNCTION public.locks_room_suits(
    room_id int, room_type varchar, capacity int, entry_room_id int, entry_room_type varchar, entry_guests int
) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN entry_room_id = room_id
    OR (entry_room_id IS NULL AND entry_room_type = room_type AND entry_guests <= capacity);
