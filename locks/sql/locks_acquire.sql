CREATE OR REPLACE FUNCTION public.locks_acquire(given jsonb) RETURNS jsonb
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
#variable_conflict use_column

DECLARE
    wanted_room int := given ->> 'room';
    hotel uuid := given ->> 'hotel';
    hold uuid := given ->> 'hold';
    wanted daterange := daterange((given ->> 'check_in')::date, (given ->> 'check_out')::date);
    client text := given ->> 'holder';
    visit text := given ->> 'session';
    per_client int := given -> 'per_client';
    taken record; old record; lapsed int := 0; begins timestamptz; ends timestamptz;
BEGIN
    UPDATE locks_room room SET fencing_token = room.fencing_token + 1
    FROM (
        SELECT count(*) AS held, count(*) FILTER (WHERE one.session = visit) AS of_visit FROM (
            SELECT stay.session FROM locks_allocation stay
            WHERE stay.holder = client AND stay.status = 'held' AND stay.expires_at > clock_timestamp()
            LIMIT per_client) AS one
    ) AS mine, (
        SELECT count(*) AS standing,
            count(*) FILTER (WHERE stay.status <> 'held' OR stay.expires_at > clock_timestamp()) AS live
        FROM locks_allocation stay
        WHERE int4range(stay.room_id, stay.room_id, '[]') = int4range(wanted_room, wanted_room, '[]')
          AND stay.nights && wanted AND stay.status IN ('held', 'confirmed', 'closed')
    ) AS there
    WHERE room.id = wanted_room AND there.live = 0
      AND lower(wanted) >= (clock_timestamp() AT TIME ZONE (given ->> 'time_zone'))::date
      AND mine.held < per_client AND (visit = '' OR mine.of_visit < (given -> 'per_session')::int)
    RETURNING room.number, room.room_type, room.fencing_token, there.standing,
        EXISTS (SELECT FROM locks_webhook WHERE active)
        OR EXISTS (SELECT FROM locks_waitinglistentry WHERE status IN ('waiting', 'offered')) AS heard INTO taken;
    IF NOT FOUND THEN
        RETURN '[0]';
    END IF;
    IF taken.standing > 0 THEN
        FOR old IN
            SELECT stay.id, stay.status, stay.expires_at, stay.nights, stay.holder FROM locks_allocation stay
            WHERE int4range(stay.room_id, stay.room_id, '[]') = int4range(wanted_room, wanted_room, '[]')
              AND stay.nights && wanted AND stay.status IN ('held', 'confirmed', 'closed')
            FOR NO KEY UPDATE
        LOOP
            CONTINUE WHEN old.status <> 'held' OR old.expires_at > clock_timestamp();
            lapsed := lapsed + 1;
            UPDATE locks_allocation stay SET status = 'expired' WHERE stay.id = old.id;
            DELETE FROM public.tenants_dueitem item
            WHERE item.hotel_id = hotel AND item.kind = 'hold' AND item.item_id = old.id;
        
    INSERT INTO audit_event (id, event, actor_kind, actor_id, actor_label, ip, request_id,
        subject_kind, subject_id, data)
    VALUES ((left(given ->> 'event', 32) || lpad(to_hex(lapsed), 4, '0'))::uuid, 'hold.expired', given ->> 'actor_kind', given ->> 'actor_id', given ->> 'actor_label', (given ->> 'ip')::inet,
        given ->> 'request_id', 'hold', old.id::text, jsonb_build_object('room', taken.number, 'check_in', lower(old.nights),
        'check_out', upper(old.nights), 'holder', old.holder));

            IF taken.heard THEN
                PERFORM locks_changed(hotel, 'hold.expired', ARRAY[old.id]);
            END IF;
        END LOOP;
    END IF;
    IF taken.heard THEN  -- who waits for this room goes first: then it is taken below
        PERFORM locks_offer(hotel, given ->> 'time_zone', wanted_room, wanted);
    END IF;

    begins := clock_timestamp();
    ends := begins + make_interval(secs => (given -> 'seconds')::int);
    INSERT INTO locks_allocation (id, room_id, nights, status, fencing_token, token_digest, holder, session, reference,
        reason, created_at, expires_at, max_expires_at, extensions_left)
    VALUES (hold, wanted_room, wanted, 'held', taken.fencing_token, decode(given ->> 'digest', 'hex'), client, visit,
        given ->> 'reference', '', begins, ends, begins + make_interval(secs => (given -> 'life')::int),
        (given -> 'extensions')::int)
    ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RETURN jsonb_build_array(lapsed);
    END IF;
    INSERT INTO public.tenants_dueitem (hotel_id, kind, item_id, due_at, claim_at, claims)
    VALUES (hotel, 'hold', hold, ends, ends, 0);
    
    INSERT INTO audit_event (id, event, actor_kind, actor_id, actor_label, ip, request_id,
        subject_kind, subject_id, data)
    VALUES ((given ->> 'event')::uuid, 'hold.acquired', given ->> 'actor_kind', given ->> 'actor_id', given ->> 'actor_label', (given ->> 'ip')::inet,
        given ->> 'request_id', 'hold', hold::text, jsonb_build_object('room', taken.number, 'check_in', lower(wanted), 'check_out', upper(wanted), 'fencing_token', taken.fencing_token,
        'expires_at', ends, 'reference', given -> 'reference'));

    IF taken.heard THEN
        PERFORM locks_changed(hotel, 'hold.created', ARRAY[hold]);
    END IF;
    RETURN jsonb_build_array(lapsed, wanted_room, taken.number, taken.room_type, taken.fencing_token, begins, ends);

END
$$;
