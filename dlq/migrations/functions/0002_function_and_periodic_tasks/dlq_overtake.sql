-- Makes open failures wait for a person, because newer work with the same ordering key has succeeded.
-- An automatic retry of the older work could undo the newer work.
--
-- The caller must have locked the ordering key.
-- `before` is the id of the newer failure. Only failures with smaller ids are changed.
-- A running attempt is not interrupted. If that attempt fails, the failure is not retried automatically.
-- `actor` is recorded as the actor of the audit events.
CREATE OR REPLACE FUNCTION public.dlq_overtake(hotel uuid, order_key text, before uuid, actor jsonb) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    overtaken_now timestamptz := clock_timestamp();
    older record;
    changed integer := 0;
BEGIN
    FOR older IN
        SELECT id, name, status FROM dlq_failure
        WHERE ordering_key = order_key AND ordering_key > ''
            AND status IN ('scheduled', 'retrying', 'in_doubt', 'permanent') AND id < before AND overtaken_at IS NULL
        ORDER BY id FOR UPDATE
    LOOP
        UPDATE dlq_failure
        SET overtaken_at = overtaken_now, next_retry_at = NULL,
            status = CASE WHEN status = 'scheduled' THEN 'permanent' ELSE status END
        WHERE id = older.id;
        IF older.status = 'scheduled' AND hotel IS NOT NULL THEN
            PERFORM public.tenants_cancel_due(hotel, 'failure', older.id);
        END IF;
        PERFORM public.audit_record(
            actor, 'failure.overtaken', 'failure', older.id::text, jsonb_build_object('name', older.name));
        changed := changed + 1;
    END LOOP;
    RETURN changed;
END
$$;
