-- Returns a room's id as the index of the exclusion constraint locks_allocation_no_overlap has it. A query for the
-- allocations of one room compares these ranges, because the index can't be used for a comparison of the ids.
-- PostgreSQL inlines the function.
CREATE OR REPLACE FUNCTION public.locks_room_range(room_id int) RETURNS int4range
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN int4range(room_id, room_id, '[]');
