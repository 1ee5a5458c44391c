-- Schedules items of a hotel in the due queue (tenants/queue/due.py), item by item at the due time in the same place.
-- An item that is already in the queue gets the new due time. The rows are sorted so that two transactions that
-- schedule the same items lock them in the same order.
CREATE OR REPLACE FUNCTION public.tenants_schedule_due(
    hotel uuid, item_kind text, item_ids uuid[], due_times timestamptz[]
) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.tenants_dueitem (hotel_id, kind, item_id, due_at, claim_at, claims)
    SELECT hotel, item_kind, item.id, item.due_at, item.due_at, 0
    FROM unnest(item_ids, due_times) AS item (id, due_at)
    ORDER BY item.id
    ON CONFLICT (hotel_id, kind, item_id)
    DO UPDATE SET due_at = excluded.due_at, claim_at = excluded.claim_at, claims = 0;
END
$$;
