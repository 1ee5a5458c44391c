-- Removes an item of a hotel from the due queue (tenants/queue/due.py). Returns whether the item was in the queue.
CREATE OR REPLACE FUNCTION public.tenants_cancel_due(hotel uuid, item_kind text, cancelled_id uuid) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM public.tenants_dueitem
    WHERE hotel_id = hotel AND kind = item_kind AND item_id = cancelled_id;
    RETURN FOUND;
END
$$;
