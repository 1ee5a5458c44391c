-- Returns whether a change of the personal fields of an event only erases fields and changes nothing else.
-- An erasure replaces the salt and the value of a field by the digest that the function audit_erased returns.
CREATE OR REPLACE FUNCTION public.audit_is_erasure(before jsonb, after jsonb) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RETURN before IS NOT NULL AND after IS NOT NULL AND NOT EXISTS (
        SELECT FROM jsonb_each(before) AS old (field, stored)
        FULL JOIN jsonb_each(after) AS new (field, stored) USING (field)
        WHERE old.stored IS DISTINCT FROM new.stored
            AND ((old.stored ? 'salt') IS NOT TRUE
                OR new.stored IS DISTINCT FROM public.audit_erased(old.stored)));
END
$$;
