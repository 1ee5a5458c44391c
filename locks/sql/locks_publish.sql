-- Publishes a change to an allocation. Call this function after the change, in the same transaction.
-- Records the audit event, schedules or cancels the expiry, creates webhook deliveries and updates the waiting list.
-- Returns the allocation in the format of the function locks_describe.
--
-- The argument `context` is a JSON object with the keys `hotel` and `actor`. The actor has the format of audit_record.
-- The argument `event_type` is an event type of locks/events.py about an allocation, or waiting_list.offered.
-- The argument `event_fields` contains the names of the event's fields besides room, check_in and check_out.
--   The value of an event field is read from `details`, or from the allocation if `details` lacks the field.
--   The fields `reference` and `reason` are personal fields of the event.
-- The argument `details` contains additional values of the event, which are not columns of the allocation.
--   After a move, the key `moved_from` of `details` contains the allocation as it was before the move.
CREATE OR REPLACE FUNCTION public.locks_publish(
    context jsonb, event_type text, event_fields text[], allocation_id uuid, details jsonb DEFAULT '{}'
) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
    allocation jsonb := locks_describe(allocation_id);
    event_data jsonb := jsonb_build_object(
        'room', allocation -> 'number', 'check_in', allocation -> 'check_in', 'check_out', allocation -> 'check_out');
    personal_data jsonb;
    field text;
    event_id uuid;
    expires_at timestamptz;
    was_scheduled boolean;
BEGIN
    -- Results that are not needed are assigned to variables, because an assignment is faster than PERFORM.
    FOREACH field IN ARRAY event_fields LOOP
        IF field IN ('reference', 'reason') THEN
            personal_data := jsonb_build_object(field, coalesce(details -> field, allocation -> field));
        ELSE
            event_data := event_data || jsonb_build_object(field, coalesce(details -> field, allocation -> field));
        END IF;
    END LOOP;
    event_id := audit_record(context -> 'actor', event_type, 'hold', allocation ->> 'id', event_data, personal_data);

    IF allocation ->> 'status' = 'held' THEN
        expires_at := tenants_schedule_due(
            (context ->> 'hotel')::uuid, 'hold', allocation_id, (allocation ->> 'expires_at')::timestamptz);
    ELSE
        was_scheduled := tenants_cancel_due((context ->> 'hotel')::uuid, 'hold', allocation_id);
    END IF;

    -- Hotels without active webhooks and without open waiting list entries need none of the function calls below.
    IF EXISTS (SELECT FROM locks_webhook WHERE active)
        OR EXISTS (SELECT FROM locks_waitinglistentry WHERE status IN ('waiting', 'offered'))
    THEN
        PERFORM locks_create_deliveries((context ->> 'hotel')::uuid, topic, allocation || details)
        FROM unnest(CASE event_type
            WHEN 'hold.acquired' THEN ARRAY['hold.created']
            WHEN 'hold.forced' THEN ARRAY['hold.released']
            WHEN 'waiting_list.offered' THEN ARRAY['hold.created', 'waiting_list.offered']
            ELSE ARRAY[event_type]
        END) AS topic;
        PERFORM locks_update_waiting_list(
            (context ->> 'hotel')::uuid, event_type, coalesce(details -> 'moved_from', allocation));
    END IF;
    RETURN allocation;
END
$$;
