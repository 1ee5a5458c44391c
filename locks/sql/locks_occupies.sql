-- Returns whether an allocation with this status occupies its room.
-- The exclusion constraint locks_allocation_no_overlap has the same condition.
-- The constraint can't depend on the time, so a hold occupies its room until it is ended, even if it has expired.
-- PostgreSQL inlines the function, so a query that calls it can use the index of the exclusion constraint.
CREATE OR REPLACE FUNCTION public.locks_occupies(status varchar) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN status IN ('held', 'confirmed', 'closed');
