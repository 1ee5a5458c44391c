-- Claims a due failure for one attempt and stores the attempt, in one round trip.
--
-- The parameter `request` is a JSON object. The next lines explain its keys.
-- `failure` is the id of the failure.
-- `hotel` is the id of the hotel, or null for a failure of the platform.
-- `lease` is the number of seconds in which the attempt must report its result or extend the lease.
-- `blocked_seconds` is the number of seconds until a failure that waits for another failure is checked again.
-- `code_version` is the version of the worker's code.
-- `is_dispatched` says whether the due queue (tenants/queue/due.py) has sent the failure to the worker.
-- If `is_dispatched` is true, the due item has a lease, so the due queue sends the failure again if the worker dies.
-- If `is_dispatched` is false, the function schedules a check of the failure at the end of the attempt's lease.
--
-- The function returns the claimed failure as a JSON object with all columns.
-- The function returns null if the failure is not due, if another worker has claimed it, or if its retries are paused.
-- The function also returns null if the failure waits for an older failure with the same ordering key.
-- When a failure is closed, dlq_wake_next makes the next failure with the same ordering key due.
-- A waiting failure is checked again after `blocked_seconds`, because it may become too old for automatic retries.
CREATE OR REPLACE FUNCTION public.dlq_claim(request jsonb) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
    claimed_id uuid := (request ->> 'failure')::uuid;
    hotel uuid := (request ->> 'hotel')::uuid;
    kind text;
    order_key text;
    claimed_at timestamptz;
    lease_end timestamptz;
    claimed record;
BEGIN
    SELECT name, ordering_key INTO kind, order_key FROM dlq_failure WHERE id = claimed_id;
    IF EXISTS (
            SELECT FROM public.dlq_failuresettings AS settings
            WHERE (settings.hotel_id = hotel OR hotel IS NULL AND settings.hotel_id IS NULL)
                AND (settings.is_paused OR kind = ANY (settings.paused_kinds))) THEN
        RETURN NULL;
    END IF;
    PERFORM public.dlq_lock_order(hotel, order_key);
    claimed_at := clock_timestamp();
    lease_end := claimed_at + make_interval(secs => (request ->> 'lease')::float8);

    IF public.dlq_blocking_failure(claimed_id, order_key) IS NOT NULL THEN
        IF hotel IS NOT NULL AND EXISTS (
                SELECT FROM dlq_failure WHERE id = claimed_id AND status = 'scheduled' AND next_retry_at <= claimed_at) THEN
            PERFORM public.tenants_schedule_due(
                hotel, 'failure', claimed_id,
                claimed_at + make_interval(secs => (request ->> 'blocked_seconds')::float8));
        END IF;
        RETURN NULL;
    END IF;

    UPDATE dlq_failure AS failure
    SET status = 'retrying', retries = failure.retries + 1, attempt = failure.attempt + 1, next_retry_at = NULL,
        claimed_until = lease_end
    WHERE failure.id = claimed_id AND failure.status = 'scheduled' AND failure.next_retry_at <= claimed_at
        AND failure.expires_at > claimed_at
    RETURNING * INTO claimed;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    INSERT INTO dlq_attempt (
        id, failure_id, number, started_at, outcome, error_type, error_message, fingerprint, worker, code_version,
        redrive)
    VALUES (
        tenants_uuid7(), claimed_id, claimed.attempt, claimed_at, 'running', '', '', '', '', request ->> 'code_version',
        CASE WHEN claimed.redrive_result = 'waiting' THEN claimed.redrive END);
    IF claimed.redrive_result = 'waiting' THEN
        -- The attempt now contains the id of the redrive, so the id is removed from the failure.
        UPDATE dlq_failure SET redrive = NULL, redrive_result = '' WHERE id = claimed_id;
        claimed.redrive := NULL;
        claimed.redrive_result := '';
    END IF;
    IF hotel IS NOT NULL AND NOT (request -> 'is_dispatched')::boolean THEN
        PERFORM public.tenants_schedule_due(hotel, 'failure', claimed_id, lease_end);
    END IF;
    RETURN to_jsonb(claimed);
END
$$;
