-- Ends allocations: releases holds, cancels stays, reopens closed rooms. Returns the ended allocations as locks_describe
-- does. Allocations with another status, or of another owner, are left as they are.
--
-- request: an object with the keys
--   hotel, actor        as in every call, see audit_record for the actor
--   allocation          the id of an allocation or of a group
--   status              the status that the allocations must have
--   new_status          their status afterwards
--   event               the type of the event that is published, and event_fields (see locks_publish,
--                       as the text of an array)
--   reason              null, or the new reason of the allocations
--   digest, staff       the digest of the owner's token, and the holder if a member of staff is logged in. Without
--                       the key digest the owner does not matter
CREATE OR REPLACE FUNCTION public.locks_end(request jsonb) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
    target uuid := request ->> 'allocation';
    member_ids uuid[] := ARRAY[target];
    member_id uuid;
    ended jsonb := '[]';
BEGIN
    -- Most calls are for one allocation. Members of a group are only looked for if there is none with the id.
    FOR attempt IN 1 .. 2 LOOP
        FOREACH member_id IN ARRAY member_ids LOOP
            UPDATE locks_allocation
            SET status = request ->> 'new_status', reason = coalesce(request ->> 'reason', reason)
            WHERE id = member_id AND status = request ->> 'status'
              AND (NOT request ? 'digest' OR token_digest = (request ->> 'digest')::bytea
                OR holder = request ->> 'staff');
            IF FOUND THEN
                ended := ended || locks_publish(
                    request, request ->> 'event', (request ->> 'event_fields')::text[], member_id);
            END IF;
        END LOOP;
        EXIT WHEN ended <> '[]';
        member_ids := ARRAY(
            SELECT id FROM locks_allocation WHERE group_id = target ORDER BY id FOR NO KEY UPDATE);
    END LOOP;
    RETURN ended;
END
$$;
