CREATE OR REPLACE FUNCTION public.locks_changed(of_hotel uuid, happened text, ids uuid[]) RETURNS boolean
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
    missed record;
BEGIN
    IF EXISTS (SELECT FROM locks_webhook WHERE active) THEN
        WITH written AS (
            INSERT INTO locks_webhookdelivery (id, webhook_id, event, data, status, attempts)
            SELECT locks_new_id(), webhook.id, happened, jsonb_build_object(
                    'hold', stay.id, 'group', stay.group_id, 'room', stay.room_id, 'number', room.number,
                    'room_type', room.room_type, 'check_in', lower(stay.nights),
                    'check_out', upper(stay.nights), 'status', stay.status, 'fencing_token', stay.fencing_token,
                    'expires_at', stay.expires_at, 'session', stay.session, 'reference', stay.reference)
                || CASE WHEN happened = 'waiting_list.offered' THEN jsonb_build_object('waiting_list_entry', (
                    SELECT entry.id FROM locks_waitinglistentry entry
                    WHERE entry.hold_id = stay.id AND entry.status = 'offered')) ELSE '{}' END,
                'pending', 0
            FROM locks_webhook webhook
            JOIN locks_allocation stay ON stay.id = ANY(ids)
            JOIN locks_room room ON room.id = stay.room_id
            WHERE webhook.active AND happened = ANY(webhook.events)
            ORDER BY stay.id, webhook.id
            RETURNING id)
        INSERT INTO public.tenants_dueitem (hotel_id, kind, item_id, due_at, claim_at, claims)
        SELECT of_hotel, 'webhook', written.id, clock_timestamp(), clock_timestamp(), 0 FROM written;

        IF happened = 'hold.created' AND EXISTS (
            SELECT FROM locks_webhook WHERE active AND 'hold.expiring_soon' = ANY(events))
        THEN
            INSERT INTO public.tenants_dueitem (hotel_id, kind, item_id, due_at, claim_at, claims)
            SELECT of_hotel, 'expiring', made.id, clock_timestamp(), clock_timestamp(), 0
            FROM unnest(ids) AS made (id) ON CONFLICT DO NOTHING;
        END IF;
    END IF;

    IF happened IN ('waiting_list.offered', 'hold.expiring_soon')
       OR NOT EXISTS (SELECT FROM locks_waitinglistentry WHERE status IN ('waiting', 'offered'))
    THEN
        RETURN false;
    END IF;
    IF happened = 'hold.created' THEN
        RETURN EXISTS (
            SELECT FROM locks_allocation taken
            JOIN locks_room room ON room.id = taken.room_id
            JOIN locks_waitinglistentry entry ON entry.status = 'waiting' AND entry.nights && taken.nights
                AND (entry.room_id = room.id OR (entry.room_id IS NULL
                    AND entry.room_type = room.room_type AND entry.guests <= room.capacity))
            WHERE taken.id = ANY(ids) AND NOT EXISTS (
                SELECT FROM locks_allocation stay
                WHERE int4range(stay.room_id, stay.room_id, '[]') = int4range(room.id, room.id, '[]')
                  AND stay.nights && entry.nights AND stay.status IN ('held', 'confirmed', 'closed')
                  AND stay.id <> ALL(ids)));
    END IF;
    IF happened = 'hold.confirmed' THEN
        UPDATE locks_waitinglistentry entry SET status = 'claimed', ended_at = clock_timestamp()
        WHERE entry.hold_id = ANY(ids) AND entry.status = 'offered';
        RETURN false;
    END IF;
    IF happened IN ('hold.released', 'hold.expired') THEN
        FOR missed IN
            UPDATE locks_waitinglistentry entry SET status = 'expired', ended_at = clock_timestamp()
            WHERE entry.hold_id = ANY(ids) AND entry.status = 'offered' RETURNING entry.*
        LOOP
            
    INSERT INTO audit_event (id, event, actor_kind, actor_id, actor_label, ip, request_id,
        subject_kind, subject_id, data)
    VALUES (locks_new_id(), 'waiting_list.offer_expired', 'system', '', 'system', NULL, '', 'waiting_list_entry', missed.id::text, jsonb_build_object('hold', missed.hold_id));

        END LOOP;
    END IF;
    INSERT INTO public.tenants_dueitem AS item (hotel_id, kind, item_id, due_at, claim_at, claims)
    SELECT of_hotel, 'waiting', entry.id, clock_timestamp(), clock_timestamp(), 0
    FROM locks_waitinglistentry entry
    WHERE entry.status = 'waiting' AND EXISTS (
        SELECT FROM locks_allocation stay JOIN locks_room room ON room.id = stay.room_id
        WHERE stay.id = ANY(ids) AND stay.nights && entry.nights
          AND (entry.room_id = room.id OR (entry.room_id IS NULL
              AND entry.room_type = room.room_type AND entry.guests <= room.capacity)))
    ORDER BY entry.id
    ON CONFLICT (hotel_id, kind, item_id)
    DO UPDATE SET due_at = excluded.due_at, claim_at = excluded.claim_at, claims = 0;
    RETURN false;
END
$$;
