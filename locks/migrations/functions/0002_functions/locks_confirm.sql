-- Confirms a hold, or all holds of a group, for its owner. Returns the stays as locks_describe does, or null if nothing
-- was confirmed: a group is confirmed as a whole or not at all. The rows stay the same, so the rooms are never free in
-- between.
--
-- request: an object with the keys
--   hotel, actor       as in every call, see audit_record for the actor
--   hold               the id of a hold or of a group
--   digest, staff      the digest of the owner's token, and the holder if a member of staff is logged in
--   fencing_token      the fencing token that the owner knows
--   reference          the reference of the booking, or an empty string to keep that of the holds
CREATE OR REPLACE FUNCTION public.locks_confirm(request jsonb) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
    target uuid := request ->> 'hold';
    found_holds record;
    hold_id uuid;
    confirmed jsonb := '[]';
BEGIN
    -- The time is read when the rows are locked, because another transaction may have locked them for a while.
    SELECT count(*) AS members,
        array_agg(member.id) FILTER (
            WHERE member.status = 'held' AND member.expires_at > clock_timestamp()
              AND (member.token_digest = (request ->> 'digest')::bytea OR member.holder = request ->> 'staff')
              AND member.fencing_token = (request -> 'fencing_token')::bigint) AS ids
    INTO found_holds
    FROM (
        SELECT id, status, expires_at, token_digest, holder, fencing_token
        FROM locks_allocation
        WHERE id = target OR group_id = target
        ORDER BY id FOR NO KEY UPDATE
    ) AS member
    WHERE member.status IN ('held', 'expired');
    IF found_holds.ids IS NULL OR cardinality(found_holds.ids) < found_holds.members THEN
        RETURN NULL;
    END IF;
    FOREACH hold_id IN ARRAY found_holds.ids LOOP
        UPDATE locks_allocation
        SET status = 'confirmed', reference = coalesce(nullif(request ->> 'reference', ''), reference)
        WHERE id = hold_id;
        confirmed := confirmed || locks_publish(request, 'hold.confirmed', '{fencing_token,reference}', hold_id);
    END LOOP;
    RETURN confirmed;
END
$$;
