-- Returns whether an allocation occupies its room at a time: a hold does so until it expires. This is what everybody
-- who looks for a free room asks. PostgreSQL inlines the function, so a query with it can use the constraint's index.
CREATE OR REPLACE FUNCTION public.locks_occupies_at(
    status varchar, expires_at timestamptz, checked_at timestamptz
) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN locks_occupies(status) AND (status <> 'held' OR expires_at > checked_at);
