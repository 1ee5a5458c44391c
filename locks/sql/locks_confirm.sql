CREATE OR REPLACE FUNCTION public.locks_confirm(given jsonb) RETURNS jsonb
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
#variable_conflict use_column

DECLARE
    hotel uuid := given ->> 'hotel';
    hold uuid := given ->> 'hold';
    held varchar := 'held';
    changed record;
BEGIN
    PERFORM FROM locks_allocation stay WHERE stay.id = hold FOR NO KEY UPDATE;
    UPDATE locks_allocation stay SET status = 'confirmed',
        reference = coalesce(nullif(given ->> 'reference', ''), stay.reference)
    FROM locks_room room
    WHERE stay.id = hold AND stay.status = held AND room.id = stay.room_id
      AND (stay.token_digest = decode(given ->> 'digest', 'hex') OR stay.holder = given ->> 'staff')
      AND stay.expires_at > clock_timestamp() AND stay.fencing_token = (given -> 'fencing_token')::bigint
    RETURNING stay.id, stay.group_id, stay.room_id, room.number, room.room_type, lower(stay.nights) AS check_in,
        upper(stay.nights) AS check_out, stay.status, stay.fencing_token, stay.expires_at, stay.extensions_left,
        greatest(0, floor(extract(epoch FROM stay.expires_at - clock_timestamp())))::int AS seconds_left,
        stay.holder, stay.session, stay.reference, stay.reason, stay.created_at,
        EXISTS (SELECT FROM locks_webhook WHERE active)
        OR EXISTS (SELECT FROM locks_waitinglistentry WHERE status IN ('waiting', 'offered')) AS heard INTO changed;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    
    DELETE FROM public.tenants_dueitem item
    WHERE item.hotel_id = hotel AND item.kind = 'hold' AND item.item_id = hold;

    
    INSERT INTO audit_event (id, event, actor_kind, actor_id, actor_label, ip, request_id,
        subject_kind, subject_id, data)
    VALUES ((given ->> 'event')::uuid, 'hold.confirmed', given ->> 'actor_kind', given ->> 'actor_id', given ->> 'actor_label', (given ->> 'ip')::inet,
        given ->> 'request_id', 'hold', hold::text, jsonb_build_object('room', changed.number, 'check_in', changed.check_in, 'check_out', changed.check_out, 'fencing_token', changed.fencing_token, 'reference', changed.reference));

    
    IF changed.heard THEN
        PERFORM locks_changed(hotel, 'hold.confirmed', ARRAY[hold]);
    END IF;

    RETURN jsonb_build_array(changed.id, changed.group_id, changed.room_id, changed.number, changed.room_type,
        changed.check_in, changed.check_out, changed.status, changed.fencing_token, changed.expires_at,
        changed.extensions_left, changed.seconds_left, changed.holder, changed.session, changed.reference,
        changed.reason, changed.created_at);

END
$$;
