-- Returns whether an allocation occupies its room at a time. A hold occupies its room until it expires.
-- Every search for free rooms uses this condition.
-- PostgreSQL inlines the function, so a query that calls it can use the index of locks_allocation_no_overlap.
CREATE OR REPLACE FUNCTION public.locks_occupies_at(
    status varchar, expires_at timestamptz, checked_at timestamptz
) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN locks_occupies(status) AND (status <> 'held' OR expires_at > checked_at);
