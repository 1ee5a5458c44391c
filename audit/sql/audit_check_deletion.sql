-- Refuses every DELETE of audit events, unless retention deletes the oldest events and records the deletion.
-- The same transaction must first record an event `audit.events_deleted` in the same trail.
-- The fields last_transaction and last_id of this event identify the last event that may be deleted.
-- Every deleted event must also be older than the shortest retention period (180 days).
-- The trigger runs once per statement and not per row, so it also rejects a statement that matches no row.
CREATE OR REPLACE FUNCTION public.audit_check_deletion() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    place record;
BEGIN
    EXECUTE format(
        'SELECT (data ->> ''last_transaction'')::bigint AS last_transaction, (data ->> ''last_id'')::uuid AS last_id '
        'FROM %I.audit_event WHERE event = ''audit.events_deleted'' '
        'AND transaction = pg_current_xact_id()::text::bigint ORDER BY id DESC LIMIT 1', TG_TABLE_SCHEMA)
    INTO place;
    IF place.last_id IS NULL OR NOT EXISTS (SELECT FROM deleted_events) OR EXISTS (
        SELECT FROM deleted_events
        WHERE (transaction, id) > (place.last_transaction, place.last_id) OR at > now() - interval '180 days')
    THEN
        RAISE EXCEPTION 'The audit trail is append-only: this DELETE of % is refused.', TG_TABLE_NAME
            USING ERRCODE = 'insufficient_privilege',
                  HINT = 'To correct an event, record another one. Only retention deletes events, after their retention period.';
    END IF;
    RETURN NULL;
END
$$;
