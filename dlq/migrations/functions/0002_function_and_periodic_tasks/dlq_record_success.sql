-- Records that an attempt succeeded, and resolves its failure, in one round trip.
--
-- The parameter `request` is a JSON object. The next lines explain its keys.
-- `failure` and `number` are the id of the failure and the number of the attempt.
-- `hotel` is the id of the hotel, or null for a failure of the platform.
-- `worker` is the name of the worker, and `actor` is the actor of the audit event.
--
-- A success is recorded even if the attempt already counts as lost, because the work is done.
-- If a later attempt is running when the success is recorded, the failure stays open until the later attempt ends.
--
-- The function returns a JSON object with the keys `is_recorded` and `outcome`.
-- If the attempt had already ended, the function changes nothing and `is_recorded` is false.
-- `outcome` is the outcome that is stored in the attempt when the function returns.
CREATE OR REPLACE FUNCTION public.dlq_record_success(request jsonb) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
    ended_id uuid := (request ->> 'failure')::uuid;
    ended_number integer := (request ->> 'number')::integer;
    hotel uuid := (request ->> 'hotel')::uuid;
    ended_now timestamptz := clock_timestamp();
    order_key text;
    failure record;
BEGIN
    SELECT ordering_key INTO order_key FROM dlq_failure WHERE id = ended_id;
    PERFORM public.dlq_lock_order(hotel, order_key);
    SELECT status, attempt INTO failure FROM dlq_failure WHERE id = ended_id FOR UPDATE;
    UPDATE dlq_attempt
    SET outcome = 'succeeded', ended_at = ended_now, worker = coalesce(nullif(request ->> 'worker', ''), worker)
    WHERE failure_id = ended_id AND dlq_attempt.number = ended_number AND outcome IN ('running', 'lost');
    IF NOT FOUND THEN
        RETURN jsonb_build_object('is_recorded', false, 'outcome', (
            SELECT outcome FROM dlq_attempt WHERE failure_id = ended_id AND dlq_attempt.number = ended_number));
    END IF;
    IF failure.status IN ('scheduled', 'in_doubt', 'permanent')
            OR failure.status = 'retrying' AND failure.attempt = ended_number THEN
        PERFORM public.dlq_resolve(ended_id, ended_number, hotel, request -> 'actor');
    END IF;
    RETURN '{"is_recorded": true, "outcome": "succeeded"}';
END
$$;
