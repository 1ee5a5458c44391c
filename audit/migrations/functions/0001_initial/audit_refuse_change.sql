-- Rejects every TRUNCATE of the audit trail.
-- The function audit_check_erasure checks each UPDATE, and audit_check_deletion checks each DELETE.
-- The function raises an error with the SQLSTATE of a missing privilege (42501), so callers handle the error like a
-- missing privilege.
CREATE OR REPLACE FUNCTION public.audit_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'The audit trail is append-only: % of % is refused.', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege',
              HINT = 'To correct an event, record another one. Events of a hotel are deleted only with the hotel''s schema.';
END
$$;
