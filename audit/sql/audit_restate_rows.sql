-- Records the rows of a table as they are, if the recorded changes do not lead to them.
--
-- This function is needed for rows that existed before the table was tracked or its columns changed, and for the rows
-- of a masked copy. After a call, the function audit_row_differences finds no difference. The recorded events
-- contain no values.
CREATE OR REPLACE FUNCTION public.audit_restate_rows(schema text, tracked_table text, key text, columns text[])
RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE public.audit_insert_rows_sql(schema, tracked_table, '', 'rows.restated', format($sql$
        SELECT row_key, CASE WHEN balance > 0 THEN digest END, CASE WHEN balance < 0 THEN digest END, '', ''
        FROM public.audit_row_differences(%L, %L, %L, %L), generate_series(1, abs(balance))
        $sql$, schema, tracked_table, key, columns));
END
$$;
