-- Refuses every change of the audit trail. There is one trigger per statement and not per row, so a change that matches
-- no row is refused too. The error is the same as for a missing privilege, so callers handle both in the same way.
CREATE OR REPLACE FUNCTION public.audit_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'The audit trail is append-only: % of % is refused.', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege',
              HINT = 'To correct an event, record another one. A hotel''s trail goes only when its schema does.';
END
$$;
