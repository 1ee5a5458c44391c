-- Ends allocations: releases holds, cancels stays and reopens closed rooms.
-- Returns the ended allocations in the format of the function locks_describe.
-- Allocations that do not have the required status, or that the caller does not own, are not changed.
--
-- The argument `request` is an object with these keys:
--   hotel, actor: the id of the hotel, and the actor who ends the allocations, in the format of audit_record
--   allocation: the id of an allocation or of a group
--   status: the status that the allocations must have
--   new_status: the status that the allocations get
--   event: the type of the event that is published
--   event_fields: the value of the parameter event_fields of locks_publish, as the text of a PostgreSQL array
--   reason: the new reason of the allocations, or null to keep the old reason
--   digest: the digest of the token that the caller passed. If the key is missing, the owner is not checked.
--   staff: the logged-in member of staff in the format of the column `holder` of holds, or null for API clients
CREATE OR REPLACE FUNCTION public.locks_end(request jsonb) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
    target uuid := request ->> 'allocation';
    member_ids uuid[] := ARRAY[target];
    member_id uuid;
    ended jsonb := '[]';
BEGIN
    -- The first pass of the loop ends the allocation whose id is `target`.
    -- If no allocation has the id `target`, the second pass ends the allocations of the group with this id.
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
