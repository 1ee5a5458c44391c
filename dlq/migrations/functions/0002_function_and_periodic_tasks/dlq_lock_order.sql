-- Locks an ordering key of a hotel until the end of the transaction. Does nothing if the key is empty.
--
-- Failures with the same ordering key are claimed and closed one after the other.
-- To avoid deadlocks, each transaction that claims or closes a failure locks the ordering key before the failure.
-- The parameter `hotel` is the id of the hotel, or null for the platform.
CREATE OR REPLACE FUNCTION public.dlq_lock_order(hotel uuid, order_key text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    IF order_key <> '' THEN
        PERFORM pg_advisory_xact_lock(hashtextextended(format('dlq:%s:%s', hotel, order_key), 0));
    END IF;
END
$$;
