-- Returns whether a room suits a waiting list entry.
-- An entry that names a room suits only that room. Other entries suit each room of their type that is large enough.
-- PostgreSQL inlines the function.
CREATE OR REPLACE FUNCTION public.locks_room_suits(
    room_id int, room_type varchar, capacity int, entry_room_id int, entry_room_type varchar, entry_guests int
) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN entry_room_id = room_id
    OR (entry_room_id IS NULL AND entry_room_type = room_type AND entry_guests <= capacity);
