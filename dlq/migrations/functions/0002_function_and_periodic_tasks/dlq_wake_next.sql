-- Makes the oldest open failure with an ordering key due. Called after another failure with this key was closed.
--
-- The caller must have locked the ordering key.
-- The function does nothing for failures of the platform, because they have no due items.
CREATE OR REPLACE FUNCTION public.dlq_wake_next(hotel uuid, order_key text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    oldest record;
BEGIN
    IF order_key = '' OR hotel IS NULL THEN
        RETURN;
    END IF;
    SELECT id, status, next_retry_at INTO oldest FROM dlq_failure
    WHERE ordering_key = order_key AND ordering_key > ''
        AND status IN ('scheduled', 'retrying', 'in_doubt', 'permanent')
    ORDER BY id LIMIT 1;
    IF oldest.status = 'scheduled' AND oldest.next_retry_at IS NOT NULL THEN
        PERFORM public.tenants_schedule_due(hotel, 'failure', oldest.id, oldest.next_retry_at);
    END IF;
END
$$;
