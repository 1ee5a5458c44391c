-- Schedules an item of a hotel in the due queue (tenants/queue/due.py) and returns the due time.
-- If the due queue already contains the item, `due_time` replaces the due time of the item.
-- The trace `item_traceparent` replaces the trace of the item.
-- The item keeps its initiator (a person or API key) unless the argument `item_initiator` contains another initiator.
CREATE OR REPLACE FUNCTION public.tenants_schedule_due(
    hotel uuid, item_kind text, scheduled_id uuid, due_time timestamptz, item_initiator text DEFAULT NULL,
    item_traceparent text DEFAULT NULL
) RETURNS timestamptz
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.tenants_dueitem (hotel_id, kind, item_id, due_at, claim_at, claims, initiator, traceparent)
    VALUES (hotel, item_kind, scheduled_id, due_time, due_time, 0, item_initiator, item_traceparent)
    ON CONFLICT (hotel_id, kind, item_id)
    DO UPDATE SET due_at = excluded.due_at, claim_at = excluded.claim_at, claims = 0,
        initiator = coalesce(excluded.initiator, tenants_dueitem.initiator), traceparent = excluded.traceparent;
    RETURN due_time;
END
$$;
