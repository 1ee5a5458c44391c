-- Records an event in the audit trail, for other database functions. Returns the id of the event.
--
-- actor: an object with the keys kind, id, label, ip and request_id (audit.services.actor_as_json), or null for
--   events without an actor
-- event_data: the fields of the event
--
-- Python checks neither the type of the event nor its fields. The tests of the calling app do.
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
