-- Returns an SQL expression that converts a column's value to the JSON text that events about changed rows contain.
--
-- The parameter reference is the SQL expression of the column. Secret values are replaced by asterisks.
-- The parameter longest is the maximum size of a value in bytes: a longer value is cut. If longest is null, the type
-- of the column limits the size, so no value is cut.
CREATE OR REPLACE FUNCTION public.audit_value_sql(reference text, is_secret boolean, longest integer) RETURNS text
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RETURN CASE
        WHEN is_secret THEN format('CASE WHEN %s IS NULL THEN ''null'' ELSE ''"********"'' END', reference)
        WHEN longest IS NULL THEN format('coalesce(to_json(%s)::text, ''null'')', reference)
        -- A character takes at most six bytes in JSON.
        ELSE format('CASE WHEN octet_length(to_json(%1$s)::text) > %2$s'
            ' THEN to_json(left(%1$s::text, %3$s) || ''…'')::text ELSE coalesce(to_json(%1$s)::text, ''null'') END',
            reference, longest, longest / 6)
    END;
END
$$;
