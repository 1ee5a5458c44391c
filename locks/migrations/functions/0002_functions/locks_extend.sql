CREATE OR REPLACE FUNCTION public.locks_extend(given jsonb) RETURNS jsonb
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
#variable_conflict use_column

DECLARE
    hotel uuid := given ->> 'hotel';
    hold uuid := given ->> 'hold';
    held varchar := 'held';
    changed record;
BEGIN
    PERFORM FROM locks_allocation stay WHERE stay.id = hold FOR NO KEY UPDATE;
    UPDATE locks_allocation stay SET extensions_left = stay.extensions_left - 1, expires_at = least(
        stay.expires_at + make_interval(secs => (given -> 'seconds')::int), stay.max_expires_at)
    FROM locks_room room
    WHERE stay.id = hold AND stay.status = held AND room.id = stay.room_id
      AND (stay.token_digest = decode(given ->> 'digest', 'hex') OR stay.holder = given ->> 'staff')
      AND stay.expires_at > clock_timestamp()
      AND stay.extensions_left > 0 AND stay.expires_at < stay.max_expires_at
    RETURNING stay.id, stay.group_id, stay.room_id, room.number, room.room_type, lower(stay.nights) AS check_in,
        upper(stay.nights) AS check_out, stay.status, stay.fencing_token, stay.expires_at, stay.extensions_left,
        greatest(0, floor(extract(epoch FROM stay.expires_at - clock_timestamp())))::int AS seconds_left,
        stay.holder, stay.session, stay.reference, stay.reason, stay.created_at,
        EXISTS (SELECT FROM locks_webhook WHERE active)
        OR EXISTS (SELECT FROM locks_waitinglistentry WHERE status IN ('waiting', 'offered')) AS heard INTO changed;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    
    INSERT INTO public.tenants_dueitem AS item (hotel_id, kind, item_id, due_at, claim_at, claims)
    VALUES (hotel, 'hold', hold, changed.expires_at, changed.expires_at, 0)
    ON CONFLICT (hotel_id, kind, item_id)
    DO UPDATE SET due_at = excluded.due_at, claim_at = excluded.claim_at, claims = 0;

    
    INSERT INTO audit_event (id, event, actor_kind, actor_id, actor_label, ip, request_id,
        subject_kind, subject_id, data)
    VALUES ((given ->> 'event')::uuid, 'hold.extended', given ->> 'actor_kind', given ->> 'actor_id', given ->> 'actor_label', (given ->> 'ip')::inet,
        given ->> 'request_id', 'hold', hold::text, jsonb_build_object('room', changed.number, 'check_in', changed.check_in, 'check_out', changed.check_out, 'expires_at', changed.expires_at, 'extensions_left', changed.extensions_left));

    
    RETURN jsonb_build_array(changed.id, changed.group_id, changed.room_id, changed.number, changed.room_type,
        changed.check_in, changed.check_out, changed.status, changed.fencing_token, changed.expires_at,
        changed.extensions_left, changed.seconds_left, changed.holder, changed.session, changed.reference,
        changed.reason, changed.created_at);

END
$$;
