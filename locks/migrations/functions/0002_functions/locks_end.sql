-- Ends allocations: releases holds, cancels stays, reopens closed rooms. Returns the ended allocations as locks_describe
-- does. Allocations with another status, or of another owner, are left as they are.
--
-- request: an object with the keys
--   hotel, actor        as in every call, see audit_record for the actor
--   allocation          the id of an allocation or of a group
--   status              the status that the allocations must have
--   new_status          their status afterwards
--   event               the type of the event that is published, and event_fields (see locks_publish)
--   reason              null, or the new reason of the allocations
--   digest, staff       the digest of the owner's token, and the holder if a member of staff is logged in. Without
--                       the key digest the owner does not matter
CREATE OR REPLACE FUNCTION public.locks_end(request jsonb) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
    params record;
    allocation record;
    ended jsonb := '[]';
BEGIN
    SELECT * INTO params FROM jsonb_to_record(request) AS fields (
        allocation uuid, status text, new_status text, event text, event_fields text[], reason text, digest bytea, staff text);
    FOR allocation IN
        SELECT id FROM locks_allocation
        WHERE (id = params.allocation OR group_id = params.allocation)
          AND status = params.status
          AND (params.digest IS NULL OR token_digest = params.digest OR holder = params.staff)
        ORDER BY id FOR NO KEY UPDATE
    LOOP
        UPDATE locks_allocation SET status = params.new_status, reason = coalesce(params.reason, reason)
        WHERE id = allocation.id;
        ended := ended || locks_publish(request, params.event, params.event_fields, allocation.id);
    END LOOP;
    RETURN ended;
END
$$;
