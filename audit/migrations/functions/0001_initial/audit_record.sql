-- Records an event in the audit trail and returns the id of the event. Other database functions call this function.
--
-- actor: who performed the operation, as returned by audit.services.actor_as_json. Null means "system".
-- event_data: a JSON object with the fields of the event type
--
-- The event type and the fields are not checked here. The tests of the apps that call this function check them.
CREATE OR REPLACE FUNCTION public.audit_record(
    actor jsonb, event_type text, subject_type text, subject text, event_data jsonb
) RETURNS uuid
LANGUAGE plpgsql AS $$
DECLARE
    event_id uuid := tenants_uuid7();
BEGIN
    INSERT INTO audit_event (
        id, event, actor_kind, actor_id, actor_label, ip, request_id, subject_kind, subject_id, data)
    VALUES (
        event_id, event_type, coalesce(actor ->> 'kind', 'system'), coalesce(actor ->> 'id', ''),
        coalesce(actor ->> 'label', 'system'), (actor ->> 'ip')::inet, coalesce(actor ->> 'request_id', ''),
        subject_type, subject, event_data);
    RETURN event_id;
END
$$;
