-- Does what follows from every change of an allocation, after the change and in its transaction: records the audit
-- event, schedules or cancels the expiry in the due queue, creates webhook deliveries and updates the waiting list.
-- Returns the allocation as locks_describe does.
--
-- context: an object with the keys hotel and actor (see audit_record)
-- event_type: a type of locks/events.py whose subject is an allocation, or waiting_list.offered
-- event_fields: the fields of the event besides room, check_in and check_out. Each is a key of the allocation or of
--   details
-- details: what is known about the event besides the allocation. After a move it has the key moved_from, the allocation
--   before the move
CREATE OR REPLACE FUNCTION public.locks_publish(
    context jsonb, event_type text, event_fields text[], allocation_id uuid, details jsonb DEFAULT '{}'
) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
    allocation jsonb := locks_describe(allocation_id);
    event_data jsonb := jsonb_build_object(
        'room', allocation -> 'number', 'check_in', allocation -> 'check_in', 'check_out', allocation -> 'check_out');
    field text;
    event_id uuid;
    expires_at timestamptz;
    was_scheduled boolean;
BEGIN
    -- Functions are called in assignments here, because PL/pgSQL runs a query for PERFORM, which takes ten times as long
    -- as the evaluation of an expression.
    FOREACH field IN ARRAY event_fields LOOP
        event_data := event_data || jsonb_build_object(field, coalesce(details -> field, allocation -> field));
    END LOOP;
    event_id := audit_record(context -> 'actor', event_type, 'hold', allocation ->> 'id', event_data);

    IF allocation ->> 'status' = 'held' THEN
        expires_at := tenants_schedule_due(
            (context ->> 'hotel')::uuid, 'hold', allocation_id, (allocation ->> 'expires_at')::timestamptz);
    ELSE
        was_scheduled := tenants_cancel_due((context ->> 'hotel')::uuid, 'hold', allocation_id);
    END IF;

    -- Most hotels have neither, so this look is all that webhooks and the waiting list cost them.
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
