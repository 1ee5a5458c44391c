-- Removes an item of a hotel from the due queue (tenants/queue/due.py), whatever its due time. Returns whether it was in
-- the queue.
CREATE OR REPLACE FUNCTION public.tenants_cancel_due(hotel uuid, item_kind text, cancelled_id uuid) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM public.tenants_dueitem
    WHERE hotel_id = hotel AND kind = item_kind AND item_id = cancelled_id;
    RETURN FOUND;
END
$$;
