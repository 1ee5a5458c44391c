-- Creates and schedules a delivery of an event for each active webhook that subscribes to the event type.
--
-- The argument `allocation` is the allocation that the event is about, in the format of the function locks_describe.
--   After a move, the key `moved_from` of `allocation` contains the allocation as it was before the move.
--   After an offer to the waiting list, `allocation` contains the id of the entry as `waiting_list_entry`.
CREATE OR REPLACE FUNCTION public.locks_create_deliveries(hotel uuid, topic text, allocation jsonb) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    webhook record;
    delivery_id uuid;
    data jsonb := jsonb_build_object(
        'hold', allocation -> 'id',
        'group', allocation -> 'group_id',
        'room', allocation -> 'room_id',
        'number', allocation -> 'number',
        'room_type', allocation -> 'room_type',
        'check_in', allocation -> 'check_in',
        'check_out', allocation -> 'check_out',
        'status', allocation -> 'status',
        'fencing_token', allocation -> 'fencing_token',
        'expires_at', allocation -> 'expires_at',
        'session', allocation -> 'session',
        'reference', allocation -> 'reference');
BEGIN
    IF topic = 'stay.moved' THEN
        data := data || jsonb_build_object('moved_from', jsonb_build_object(
            'room', allocation #> '{moved_from,room_id}',
            'number', allocation #> '{moved_from,number}',
            'room_type', allocation #> '{moved_from,room_type}',
            'check_in', allocation #> '{moved_from,check_in}',
            'check_out', allocation #> '{moved_from,check_out}'));
    ELSIF topic = 'waiting_list.offered' THEN
        data := data || jsonb_build_object('waiting_list_entry', allocation -> 'waiting_list_entry');
    END IF;
    FOR webhook IN SELECT id FROM locks_webhook WHERE active AND topic = ANY (events) ORDER BY id LOOP
        delivery_id := tenants_uuid7();
        INSERT INTO locks_webhookdelivery (id, webhook_id, event, data, status, attempts)
        VALUES (delivery_id, webhook.id, topic, data, 'pending', 0);
        PERFORM tenants_schedule_due(hotel, 'webhook', delivery_id, clock_timestamp());
    END LOOP;
    -- A worker calculates when the warning hold.expiring_soon is due, because the hold may be extended in the meantime.
    IF topic = 'hold.created'
        AND EXISTS (SELECT FROM locks_webhook WHERE active AND 'hold.expiring_soon' = ANY (events))
    THEN
        PERFORM tenants_schedule_due(hotel, 'expiring', (allocation ->> 'id')::uuid, clock_timestamp());
    END IF;
END
$$;
