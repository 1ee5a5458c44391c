-- Ends allocations: releases holds, cancels stays and reopens closed rooms.
-- Returns the ended allocations in the format of the function locks_describe.
-- An allocation is not changed if it does not have the required status, or if the caller does not own it.
--
-- The argument `request` is a JSON object that says which allocations are ended, and by whom.
--   The key `hotel` of the request contains the id of the hotel.
--   The key `actor` of the request is the actor who ends the allocations, in the format of the function audit_record.
--   The key `allocation` of the request contains the id of an allocation or of a group of allocations.
--   The key `status` of the request contains the status that the allocations must have.
--   The key `new_status` of the request contains the status that the allocations get.
--   The key `event` of the request contains the type of the event that is published.
--   The key `event_fields` of the request contains the argument event_fields of the function locks_publish.
--   The key `reason` of the request contains the new reason of the allocations, or null to keep the old reason.
--   The key `digest` of the request is the digest of the caller's token. Without a digest, the owner is not checked.
--   The key `staff` of the request is the logged-in member of staff in the format of `Allocation.holder`, or null.
CREATE OR REPLACE FUNCTION public.locks_end(request jsonb) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
    target uuid := request ->> 'allocation';
    member_ids uuid[] := ARRAY[target];
    member_id uuid;
    ended jsonb := '[]';
BEGIN
    -- The first pass of the loop ends the allocation whose id is `target`.
    -- If no allocation has this id, the second pass of the loop ends the allocations of the group with this id.
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
