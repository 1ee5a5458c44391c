-- Returns the SQL expression that computes the digest of a row: a hash of the values of its columns, in base64.
--
-- The hash consists of the first 32 bytes of the SHA-512, which PostgreSQL computes faster than the SHA-256.
-- The parameter alias is the name of the row in the query. The digest of a row depends on the order of the columns.
-- The digest uses the binary form of the values, which does not depend on the settings of the session, except that
-- client_encoding must be UTF8. The digest of a missing row, which has no key, is null.
CREATE OR REPLACE FUNCTION public.audit_row_digest_sql(alias text, key text, columns text[]) RETURNS text
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RETURN format(
        'CASE WHEN %1$s.%2$I IS NOT NULL THEN encode(substr(sha512(record_send(ROW(%3$s))), 1, 32), ''base64'') END',
        alias, key, (SELECT string_agg(format('%s.%I', alias, name), ', ' ORDER BY position)
            FROM unnest(key || columns) WITH ORDINALITY AS names (name, position)));
END
$$;
