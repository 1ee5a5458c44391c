-- Returns whether an allocation with this status occupies its room. It is the condition of the exclusion constraint
-- locks_allocation_no_overlap, so a held allocation occupies its room until it is ended, even if it has expired.
-- PostgreSQL inlines the function, so a query with it can use the constraint's index.
CREATE OR REPLACE FUNCTION public.locks_occupies(status varchar) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN status IN ('held', 'confirmed', 'closed');
