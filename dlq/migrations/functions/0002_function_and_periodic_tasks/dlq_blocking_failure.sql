-- Returns the failure that must be closed before this failure can be retried, or null if there is none.
--
-- The blocking failure is the oldest open failure with the same ordering key, if it is older than this failure.
-- A newer failure with the same ordering key blocks this failure only while a worker retries the newer failure.
-- The worker may have claimed the newer failure before the older failure was committed.
CREATE OR REPLACE FUNCTION public.dlq_blocking_failure(failure_id uuid, order_key text) RETURNS uuid
LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF order_key = '' THEN
        RETURN NULL;
    END IF;
    RETURN (
        SELECT other.id
        FROM dlq_failure AS other
        WHERE other.ordering_key = order_key AND other.ordering_key > ''
            AND other.status IN ('scheduled', 'retrying', 'in_doubt', 'permanent')
            AND other.id <> failure_id AND (other.id < failure_id OR other.status = 'retrying')
        ORDER BY other.id LIMIT 1);
END
$$;
