-- Resolves a failure, because its work was done in attempt `number`.
--
-- The function stores the status, deletes the due item of the failure, and records the audit event.
-- Failures with the same ordering key that are older than the resolved failure are not retried automatically any more.
-- The oldest open failure with the same ordering key becomes due if its retry is scheduled.
--
-- The caller has locked the ordering key and then the failure.
CREATE OR REPLACE FUNCTION public.dlq_resolve(resolved_id uuid, number integer, hotel uuid, actor jsonb) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    resolved_at timestamptz := clock_timestamp();
    resolved record;
BEGIN
    UPDATE dlq_failure AS failure
    SET status = 'resolved', claimed_until = NULL, next_retry_at = NULL, closed_at = resolved_at
    WHERE failure.id = resolved_id
    RETURNING failure.name, failure.ordering_key INTO resolved;
    IF hotel IS NOT NULL THEN
        PERFORM public.tenants_cancel_due(hotel, 'failure', resolved_id);
    END IF;
    PERFORM public.audit_record(
        actor, 'failure.resolved', 'failure', resolved_id::text,
        jsonb_build_object('name', resolved.name, 'attempt', number));
    IF resolved.ordering_key <> '' THEN
        PERFORM public.dlq_overtake(hotel, resolved.ordering_key, resolved_id, actor);
        PERFORM public.dlq_wake_next(hotel, resolved.ordering_key);
    END IF;
END
$$;
