-- Allows only one kind of UPDATE of the audit trail: the erasure of personal values (function audit_is_erasure).
-- All columns of the row except `personal` must keep their values.
CREATE OR REPLACE FUNCTION public.audit_check_erasure() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF to_jsonb(old) - 'personal' = to_jsonb(new) - 'personal'
        AND public.audit_is_erasure(old.personal, new.personal)
    THEN
        RETURN new;
    END IF;
    RAISE EXCEPTION 'The audit trail is append-only: this UPDATE of % is refused.', TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege',
              HINT = 'To correct an event, record another one. Personal values can be replaced only by their digests.';
END
$$;
