-- Records events in the audit trail, for other database functions: one event of the same type for each subject.
--
-- actor: an object with the keys kind, id, label, ip and request_id (audit.services.actor_as_json), or null if
--   nobody asked for what happened
-- subject_ids: the ids of the subjects
-- event_data: the fields of each subject's event, in the order of subject_ids
--
-- Python checks neither the type nor its fields. The tests of the calling app do.
CREATE OR REPLACE FUNCTION public.audit_record(
    actor jsonb, event_type text, subject_type text, subject_ids text[], event_data jsonb[]
) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO audit_event (id, event, actor_kind, actor_id, actor_label, ip, request_id,
        subject_kind, subject_id, data)
    SELECT tenants_uuid7(), event_type, coalesce(actor ->> 'kind', 'system'), coalesce(actor ->> 'id', ''),
        coalesce(actor ->> 'label', 'system'), (actor ->> 'ip')::inet, coalesce(actor ->> 'request_id', ''),
        subject_type, subject.id, subject.data
    FROM unnest(subject_ids, event_data) AS subject (id, data);
END
$$;
