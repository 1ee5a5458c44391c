CREATE OR REPLACE FUNCTION public.locks_acquire_any(given jsonb) RETURNS jsonb
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
#variable_conflict use_column

DECLARE
    wanted daterange := daterange((given ->> 'check_in')::date, (given ->> 'check_out')::date);
    chosen int;
BEGIN
    IF (given -> 'waiting')::boolean THEN
        SELECT room.id INTO chosen FROM locks_room room WHERE 
    room.room_type = given ->> 'room_type' AND room.capacity >= (given -> 'guests')::int
    AND NOT EXISTS (
        SELECT FROM locks_allocation stay
        WHERE int4range(stay.room_id, stay.room_id, '[]') = int4range(room.id, room.id, '[]')
          AND stay.nights && wanted AND stay.status IN ('held', 'confirmed', 'closed')
          AND (stay.status <> 'held' OR stay.expires_at > clock_timestamp()))
 ORDER BY random() LIMIT 1;
    ELSE
        SELECT room.id INTO chosen FROM locks_room room WHERE 
    room.room_type = given ->> 'room_type' AND room.capacity >= (given -> 'guests')::int
    AND NOT EXISTS (
        SELECT FROM locks_allocation stay
        WHERE int4range(stay.room_id, stay.room_id, '[]') = int4range(room.id, room.id, '[]')
          AND stay.nights && wanted AND stay.status IN ('held', 'confirmed', 'closed')
          AND (stay.status <> 'held' OR stay.expires_at > clock_timestamp()))

        ORDER BY room.capacity, room.id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED;
    END IF;
    RETURN locks_acquire(given || jsonb_build_object('room', chosen));

END
$$;
