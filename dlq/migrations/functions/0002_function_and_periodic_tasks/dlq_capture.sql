-- Stores a failure, its first attempt, group, audit event and due item (tenants/queue/due.py), in one round trip.
--
-- The parameter `request` is a JSON object.
-- The following keys contain the values of the columns of the same name in the table dlq_failure:
-- `id`, `is_task`, `source`, `name`, `work_key`, `ordering_key`, `payload`, `original`, `original_type`, `secrets`,
-- `task_id` and `request_id`.
-- `original` and `secrets` are bytes in base64, or null.
-- `error` is an object that describes the captured error.
-- `error` has the keys `type`, `message`, `translatable_message`, `fingerprint`, `location` and `traceback`.
-- `attempt` is an object with the keys `worker`, `code_version` and `seconds` (how long the failed work took).
-- `delay` is the number of seconds until the first retry. Null makes the failure permanent.
-- `max_age` is the number of seconds for which the failure is retried automatically.
-- `hotel` is the id of the hotel, or null for a failure of the platform, which has no due item.
-- `actor` is the actor of the audit event.
--
-- If a failure with this work key is open, no failure is stored. The occurrences of the open failure are incremented.
-- Unless a worker is retrying the open failure, the new error replaces the error of the open failure.
-- The new error is also stored as a failed attempt of the open failure.
-- If the latest attempt of the open failure has the number 100 or a higher number, the new error replaces that attempt.
--
-- The failure belongs to the group that dlq_store_group returns for its error.
-- Each attempt keeps the fingerprint of its own error.
--
-- The function returns a JSON object with the keys `id`, `status` and `is_new`.
CREATE OR REPLACE FUNCTION public.dlq_capture(request jsonb) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
    captured_at timestamptz := clock_timestamp();
    new_id uuid := (request ->> 'id')::uuid;
    error jsonb := request -> 'error';
    first_attempt jsonb := request -> 'attempt';
    next_retry timestamptz := captured_at + make_interval(secs => (request ->> 'delay')::float8);
    translatable jsonb := nullif(error -> 'translatable_message', 'null');
    group_fingerprint char(16) := dlq_store_group(request);
    stored record;
BEGIN
    INSERT INTO dlq_failure AS failure (
        id, is_task, source, name, work_key, ordering_key, payload, original, original_type, secrets, task_id,
        request_id, error_type, error_message, translatable_message, fingerprint, status, retries, attempt, occurrences,
        next_retry_at, created_at, last_seen_at, expires_at, discard_reason)
    VALUES (
        new_id, (request ->> 'is_task')::boolean, request ->> 'source', request ->> 'name', request ->> 'work_key',
        request ->> 'ordering_key', request -> 'payload', decode(request ->> 'original', 'base64'),
        request ->> 'original_type', decode(request ->> 'secrets', 'base64'), request ->> 'task_id',
        request ->> 'request_id', error ->> 'type', error ->> 'message', translatable,
        group_fingerprint, CASE WHEN next_retry IS NULL THEN 'permanent' ELSE 'scheduled' END, 0, 0, 1,
        next_retry, captured_at, captured_at, captured_at + make_interval(secs => (request ->> 'max_age')::float8), '')
    ON CONFLICT (work_key) WHERE status IN ('scheduled', 'retrying', 'in_doubt', 'permanent')
    DO UPDATE SET
        occurrences = failure.occurrences + 1,
        last_seen_at = captured_at,
        attempt = CASE
            WHEN failure.status = 'retrying' THEN failure.attempt
            ELSE greatest(failure.attempt, least(failure.attempt + 1, 100)) END,
        regressed_at = CASE
            WHEN failure.status = 'permanent' THEN coalesce(failure.regressed_at, captured_at)
            ELSE failure.regressed_at END,
        error_type = CASE
            WHEN failure.status <> 'retrying' THEN excluded.error_type ELSE failure.error_type END,
        error_message = CASE
            WHEN failure.status <> 'retrying' THEN excluded.error_message ELSE failure.error_message END,
        translatable_message = CASE
            WHEN failure.status <> 'retrying' THEN excluded.translatable_message
            ELSE failure.translatable_message END,
        fingerprint = CASE
            WHEN failure.status <> 'retrying' THEN excluded.fingerprint ELSE failure.fingerprint END
    RETURNING failure.id, failure.status, failure.attempt, failure.regressed_at, failure.occurrences INTO stored;

    IF stored.id = new_id OR stored.status <> 'retrying' THEN
        INSERT INTO dlq_attempt AS attempt (
            id, failure_id, number, started_at, ended_at, outcome, error_type, error_message, translatable_message,
            fingerprint, worker, code_version)
        VALUES (
            tenants_uuid7(), stored.id, stored.attempt,
            captured_at - make_interval(secs => (first_attempt ->> 'seconds')::float8), captured_at, 'failed',
            error ->> 'type', error ->> 'message', translatable, error ->> 'fingerprint', first_attempt ->> 'worker',
            first_attempt ->> 'code_version')
        ON CONFLICT (failure_id, number) DO UPDATE SET
            started_at = excluded.started_at, ended_at = excluded.ended_at, outcome = excluded.outcome,
            error_type = excluded.error_type, error_message = excluded.error_message,
            translatable_message = excluded.translatable_message, fingerprint = excluded.fingerprint,
            worker = excluded.worker, code_version = excluded.code_version;
    END IF;

    IF stored.id = new_id THEN
        IF stored.status = 'scheduled' AND request ->> 'hotel' IS NOT NULL THEN
            PERFORM tenants_schedule_due((request ->> 'hotel')::uuid, 'failure', stored.id, next_retry);
        END IF;
        PERFORM audit_record(
            request -> 'actor', 'failure.captured', 'failure', stored.id::text,
            jsonb_build_object(
                'source', request ->> 'source', 'name', request ->> 'name', 'error', error ->> 'type',
                'fingerprint', group_fingerprint::text, 'status', stored.status));
    ELSIF stored.regressed_at = captured_at THEN
        PERFORM audit_record(
            request -> 'actor', 'failure.regressed', 'failure', stored.id::text,
            jsonb_build_object('name', request ->> 'name', 'error', error ->> 'type'));
    -- Only the 2nd, 4th, 8th, ... occurrence is recorded, because work may fail a thousand times per minute.
    ELSIF stored.status <> 'retrying' AND stored.occurrences & (stored.occurrences - 1) = 0 THEN
        PERFORM audit_record(
            request -> 'actor', 'failure.repeated', 'failure', stored.id::text,
            jsonb_build_object(
                'name', request ->> 'name', 'error', error ->> 'type', 'occurrences', stored.occurrences));
    END IF;
    RETURN jsonb_build_object('id', stored.id, 'status', stored.status, 'is_new', stored.id = new_id);
END
$$;
