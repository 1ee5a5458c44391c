-- Returns the id of a room as a range, as in the index of the exclusion constraint locks_allocation_no_overlap.
-- The index contains room ids only as ranges. Queries for the allocations of one room therefore compare ranges, not ids.
-- PostgreSQL inlines the function, so a query that calls it can use the index of the constraint.
CREATE OR REPLACE FUNCTION public.locks_room_range(room_id int) RETURNS int4range
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN int4range(room_id, room_id, '[]');
