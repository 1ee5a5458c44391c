-- Returns the query for the rows that a statement changed, with the columns that audit_insert_rows_sql needs.
--
-- The query reads the transition tables old_rows and new_rows of a trigger. For TRUNCATE, the query reads the table.
-- The parameters plain, personal and secret are the names of the columns, and key is the name of the primary key.
CREATE OR REPLACE FUNCTION public.audit_tracking_sql(
    operation text, target regclass, key text, plain text[], personal text[], secret text[]
) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
    column_name text;
    longest integer;
    old_value text;
    new_value text;
    condition text;
    pair text;
    plain_pairs text[] := ARRAY[''''''];
    personal_pairs text[] := ARRAY[''''''];
    old_digest text := public.audit_row_digest_sql('o', key, plain || personal || secret);
    new_digest text := public.audit_row_digest_sql('n', key, plain || personal || secret);
BEGIN
    -- The old and the new values of a row together take at most about 48,000 bytes in JSON. Columns of limited length
    -- get the space that their longest value takes, at six bytes per character. The other columns share the rest.
    FOR column_name, longest IN
        SELECT attname, CASE WHEN bytes IS NULL THEN
            greatest(600, (24000 - coalesce(sum(bytes) OVER (), 0)) / count(*) FILTER (WHERE bytes IS NULL) OVER ()) END
        FROM (
            SELECT attname, attnum, CASE
                WHEN typlen > 0 OR attname = ANY(secret) THEN 40
                WHEN atttypid = 'varchar'::regtype AND atttypmod BETWEEN 4 AND 304 THEN 2 + 6 * (atttypmod - 4)
            END AS bytes
            FROM pg_attribute JOIN pg_type ON pg_type.oid = atttypid
            WHERE attrelid = target AND attname = ANY(plain || personal || secret)
        ) AS columns
        ORDER BY attnum
    LOOP
        old_value := public.audit_value_sql(format('o.%I', column_name), column_name = ANY(secret), longest);
        new_value := public.audit_value_sql(format('n.%I', column_name), column_name = ANY(secret), longest);
        condition := CASE operation
            WHEN 'INSERT' THEN format('n.%I IS NOT NULL', column_name)
            WHEN 'UPDATE' THEN format('o.%1$I IS DISTINCT FROM n.%1$I', column_name)
            ELSE format('o.%I IS NOT NULL', column_name)
        END;
        pair := format('CASE WHEN %s THEN %L || %s || %s || %s || '']'' END', condition,
            ',' || to_json(column_name) || ':[',
            CASE WHEN operation = 'INSERT' THEN '''null''' ELSE old_value END, ''',''',
            CASE WHEN operation IN ('INSERT', 'UPDATE') THEN new_value ELSE '''null''' END);
        IF column_name = ANY(personal) THEN
            personal_pairs := personal_pairs || pair;
        ELSE
            plain_pairs := plain_pairs || pair;
        END IF;
    END LOOP;
    RETURN CASE operation
        WHEN 'INSERT' THEN format('SELECT n.%I::text, NULL, %s, concat(%s), concat(%s) FROM new_rows AS n',
            key, new_digest, array_to_string(plain_pairs, ', '), array_to_string(personal_pairs, ', '))
        WHEN 'UPDATE' THEN format('SELECT coalesce(n.%1$I, o.%1$I)::text, %2$s, %3$s, concat(%4$s), concat(%5$s)'
            ' FROM old_rows AS o FULL JOIN new_rows AS n ON n.%1$I = o.%1$I',
            key, old_digest, new_digest, array_to_string(plain_pairs, ', '), array_to_string(personal_pairs, ', '))
        ELSE format('SELECT o.%I::text, %s, NULL, concat(%s), concat(%s) FROM %s AS o',
            key, old_digest, array_to_string(plain_pairs, ', '), array_to_string(personal_pairs, ', '),
            CASE operation WHEN 'TRUNCATE' THEN 'ONLY ' || target::text ELSE 'old_rows' END)
    END;
END
$$;
