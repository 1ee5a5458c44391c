-- Records an event in the audit trail and returns the id of the event. Other database functions call this function.
--
-- The parameter `actor` says who performed the operation, as audit.services.actor_as_json returns it.
-- If actor is null, the system is stored as the actor.
-- The parameter event_data is a JSON object with the plain fields of the event type.
-- The parameter personal_data is null, or a JSON object with the personal fields of the event type.
-- The other parameters are the version, severity and outcome with which the event type is registered.
--
-- This function does not check the event type and the fields. The tests of the apps that call it check them.
CREATE OR REPLACE FUNCTION public.audit_record(
    actor jsonb, event_type text, subject_type text, subject text, event_data jsonb, personal_data jsonb DEFAULT NULL,
    type_version integer DEFAULT 1, event_severity integer DEFAULT 1, event_outcome integer DEFAULT 1
) RETURNS uuid
LANGUAGE plpgsql AS $$
DECLARE
    event_id uuid := tenants_uuid7();
    actor_values jsonb := actor #> '{personal,actor}';
    initiator_values jsonb := actor #> '{personal,initiator}';
    salted jsonb;
BEGIN
    -- These assignments add the salts to the personal values. A query would slow down the recording of each event.
    IF actor_values IS NOT NULL THEN
        salted := jsonb_build_object('actor', audit_add_salt(actor_values));
    END IF;
    IF initiator_values IS NOT NULL THEN
        salted := coalesce(salted, '{}') || jsonb_build_object('initiator', audit_add_salt(initiator_values));
    END IF;
    IF personal_data <> '{}' THEN
        salted := coalesce(salted, '{}')
            || (SELECT jsonb_object_agg(key, audit_add_salt(value)) FROM jsonb_each(personal_data));
    END IF;
    INSERT INTO audit_event (
        id, event, version, severity, outcome, actor_kind, actor_id, initiator_kind, initiator_id, request_id, task_id,
        idempotency_key, subject_kind, subject_id, data, personal)
    VALUES (
        event_id, event_type, type_version, event_severity, event_outcome, coalesce(actor ->> 'kind', 'system'),
        coalesce(actor ->> 'id', ''), actor #>> '{initiator,kind}', actor #>> '{initiator,id}',
        coalesce(actor ->> 'request_id', ''), coalesce(actor ->> 'task_id', ''),
        coalesce(actor ->> 'idempotency_key', ''), subject_type, subject, event_data, salted);
    RETURN event_id;
END
$$;
