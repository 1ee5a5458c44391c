-- Confirms a hold, or all holds of a group, for the owner of the hold.
-- Returns the stays in the format of the function locks_describe, or null if nothing was confirmed.
-- A group is confirmed as a whole or not at all.
-- The row of the hold becomes the row of the stay, so the room is never free between the hold and the stay.
--
-- The argument `request` is a JSON object with the parameters of the confirmation.
--   The key `hotel` of the request contains the id of the hotel.
--   The key `actor` of the request is the actor who confirms the hold, in the format of the function audit_record.
--   The key `hold` of the request is the id of a hold, or of a group of holds that were acquired together.
--   The key `digest` of the request contains the digest of the token that the caller passed.
--   The key `staff` of the request is the logged-in member of staff in the format of `Allocation.holder`, or null.
--   The key `fencing_token` of the request contains the fencing token that the caller passed.
--   The key `reference` of the request is the booking's reference. If it is empty, the holds keep their reference.
CREATE OR REPLACE FUNCTION public.locks_confirm(request jsonb) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
    target uuid := request ->> 'hold';
    found_holds record;
    hold_id uuid;
    confirmed jsonb := '[]';
BEGIN
    -- The time is read after the rows are locked, because a hold may expire during the wait for the locks.
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
