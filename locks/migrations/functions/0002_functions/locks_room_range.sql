-- Returns the id of a room as a range, as in the index of the exclusion constraint locks_allocation_no_overlap.
-- Queries for the allocations of one room compare these ranges, because the index does not support a comparison of ids.
-- PostgreSQL inlines the function.
CREATE OR REPLACE FUNCTION public.locks_room_range(room_id int) RETURNS int4range
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN int4range(room_id, room_id, '[]');
