-- Returns a value as canonical JSON, so that equal values always have the same text.
-- The Python function audit.entries.canonical_json returns the same text.
-- Object members are sorted by the code points of their names. The text contains no spaces between tokens.
-- Numbers with a fraction are written as strings, because programs print such numbers in different ways.
CREATE OR REPLACE FUNCTION public.audit_canonical_json(value jsonb) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT AS $$
BEGIN
    RETURN CASE jsonb_typeof(value)
        WHEN 'object' THEN (
            SELECT '{' || coalesce(string_agg(
                to_json(name)::text || ':' || public.audit_canonical_json(member), ',' ORDER BY name COLLATE "C"), '')
                || '}'
            FROM jsonb_each(value) AS members (name, member))
        WHEN 'array' THEN (
            SELECT '[' || coalesce(string_agg(public.audit_canonical_json(element), ',' ORDER BY position), '') || ']'
            FROM jsonb_array_elements(value) WITH ORDINALITY AS elements (element, position))
        WHEN 'number' THEN CASE WHEN value::text ~ '[.]' THEN to_json(value::text)::text ELSE value::text END
        ELSE value::text
    END;
END
$$;
