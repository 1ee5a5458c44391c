-- Extends a hold, or all holds of a group. Only the owner of a hold can extend the hold.
-- Returns the extended holds in the format of the function locks_describe, or null if nothing was extended.
-- The function extends either all holds of a group or none of them.
--
-- The argument `request` is a JSON object with the parameters of the extension.
--   The key `hotel` of the request contains the id of the hotel.
--   The key `actor` of the request contains the actor who extends the hold, in the format of the function audit_record.
--   The key `hold` of the request contains the id of a hold or of a group of holds.
--   The key `digest` of the request contains the digest of the token that the caller passed.
--   The key `staff` of the request is the logged-in member of staff in the format of `Allocation.holder`, or null.
--   The key `seconds` of the request contains the number of seconds that are added to the expiry of the hold.
CREATE OR REPLACE FUNCTION public.locks_extend(request jsonb) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
    target uuid := request ->> 'hold';
    found_holds record;
    extended jsonb := '[]';
BEGIN
    -- The function reads the time after it has locked the rows, because a hold may expire during the wait for the lock.
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
