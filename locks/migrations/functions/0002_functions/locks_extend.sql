-- Extends a hold, or all holds of a group, for its owner. Returns the extended holds as locks_describe does, or null if
-- nothing was extended: a group is extended as a whole or not at all.
--
-- request: an object with the keys
--   hotel, actor       as in every call, see audit_record for the actor
--   hold               the id of a hold or of a group
--   digest, staff      the digest of the owner's token, and the holder if a member of staff is logged in
--   seconds            by how much the holds are extended
CREATE OR REPLACE FUNCTION public.locks_extend(request jsonb) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
    target uuid := request ->> 'hold';
    found_holds record;
    extended jsonb := '[]';
BEGIN
    -- The time is read when the rows are locked, because another transaction may have locked them for a while.
    SELECT count(*) AS members,
        array_agg(member.id) FILTER (WHERE member.is_extendable) AS ids,
        array_agg(least(member.expires_at + make_interval(secs => (request -> 'seconds')::int), member.max_expires_at))
            FILTER (WHERE member.is_extendable) AS new_times
    INTO found_holds
    FROM (
        SELECT locked.*,
            locked.status = 'held' AND locked.expires_at > clock_timestamp()
                AND (locked.token_digest = (request ->> 'digest')::bytea OR locked.holder = request ->> 'staff')
                AND locked.extensions_left > 0 AND locked.expires_at < locked.max_expires_at AS is_extendable
        FROM (
            SELECT id, status, expires_at, max_expires_at, extensions_left, token_digest, holder
            FROM locks_allocation
            WHERE id = target OR group_id = target
            ORDER BY id FOR NO KEY UPDATE
        ) AS locked
        WHERE locked.status IN ('held', 'expired')
    ) AS member;
    IF found_holds.ids IS NULL OR cardinality(found_holds.ids) < found_holds.members THEN
        RETURN NULL;
    END IF;
    FOR hold_index IN 1 .. cardinality(found_holds.ids) LOOP
        UPDATE locks_allocation
        SET expires_at = found_holds.new_times[hold_index], extensions_left = extensions_left - 1
        WHERE id = found_holds.ids[hold_index];
        extended := extended || locks_publish(
            request, 'hold.extended', '{expires_at,extensions_left}', found_holds.ids[hold_index]);
    END LOOP;
    RETURN extended;
END
$$;
