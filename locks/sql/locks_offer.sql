CREATE OR REPLACE FUNCTION public.locks_offer(of_hotel uuid, zone text, wanted_room int, free daterange) RETURNS boolean
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
    place record; next_one record; hold uuid; given bigint; made timestamptz; until timestamptz;
BEGIN
    SELECT room.number, room.room_type, room.capacity INTO place
    FROM locks_room room WHERE room.id = wanted_room FOR NO KEY UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    FOR next_one IN
        SELECT entry.* FROM locks_waitinglistentry entry
        WHERE entry.status = 'waiting' AND entry.nights && free
          AND lower(entry.nights) >= (clock_timestamp() AT TIME ZONE zone)::date
          AND (entry.room_id = wanted_room OR (entry.room_id IS NULL
              AND entry.room_type = place.room_type AND entry.guests <= place.capacity))
        ORDER BY entry.joined_at, entry.id
    LOOP
        CONTINUE WHEN EXISTS (
            SELECT FROM locks_allocation stay
            WHERE int4range(stay.room_id, stay.room_id, '[]') = int4range(wanted_room, wanted_room, '[]')
              AND stay.nights && next_one.nights AND stay.status IN ('held', 'confirmed', 'closed'));
        PERFORM FROM locks_waitinglistentry entry
        WHERE entry.id = next_one.id AND entry.status = 'waiting' FOR NO KEY UPDATE SKIP LOCKED;
        CONTINUE WHEN NOT FOUND;

        UPDATE locks_room room SET fencing_token = room.fencing_token + 1 WHERE room.id = wanted_room
        RETURNING room.fencing_token INTO given;
        hold := locks_new_id();
        made := clock_timestamp();
        until := made + make_interval(secs => next_one.offer_seconds);
        -- Nobody has the token whose digest this is: who claims the offer gets one.
        INSERT INTO locks_allocation (id, room_id, nights, status, fencing_token, token_digest, holder, session, reference,
            reason, created_at, expires_at, max_expires_at, extensions_left)
        VALUES (hold, wanted_room, next_one.nights, 'held', given,
            sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())), next_one.holder,
            next_one.session, next_one.reference, '', made, until, until, 0)
        ON CONFLICT DO NOTHING;
        CONTINUE WHEN NOT FOUND;
        INSERT INTO public.tenants_dueitem (hotel_id, kind, item_id, due_at, claim_at, claims)
        VALUES (of_hotel, 'hold', hold, until, until, 0);
        UPDATE locks_waitinglistentry entry SET status = 'offered', hold_id = hold WHERE entry.id = next_one.id;
        
    INSERT INTO audit_event (id, event, actor_kind, actor_id, actor_label, ip, request_id,
        subject_kind, subject_id, data)
    VALUES (locks_new_id(), 'waiting_list.offered', 'system', '', 'system', NULL, '', 'hold', hold::text, jsonb_build_object('waiting_list_entry', next_one.id, 'room', place.number, 'check_in', lower(next_one.nights),
        'check_out', upper(next_one.nights), 'expires_at', until, 'fencing_token', given));

        PERFORM locks_changed(of_hotel, 'hold.created', ARRAY[hold]);
        PERFORM locks_changed(of_hotel, 'waiting_list.offered', ARRAY[hold]);
    END LOOP;
    RETURN true;
END
$$;
