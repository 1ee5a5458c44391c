-- Returns how the rows of a tracked table differ from the recorded changes of its rows.
--
-- Each recorded change takes a row from one digest to another. So each digest of a row is reached as often as it is
-- left, except for the digest of the present row. A change without an event breaks this balance, whatever the order of
-- the events. A digest with a positive balance was recorded, and the row no longer has it. A digest with a negative
-- balance is or was the digest of the row, and no event recorded it.
CREATE OR REPLACE FUNCTION public.audit_row_differences(schema text, tracked_table text, key text, columns text[])
RETURNS TABLE (row_key text, digest text, balance bigint)
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY EXECUTE format($sql$
        SELECT states.key, states.digest, sum(states.number)::bigint
        FROM (
            SELECT entry ->> 0, state.digest, state.number
            FROM %1$I.audit_event CROSS JOIN jsonb_array_elements(data -> 'rows') AS entry
            CROSS JOIN LATERAL (VALUES (entry ->> 1, -1), (entry ->> 2, 1)) AS state (digest, number)
            WHERE event IN ('rows.inserted', 'rows.updated', 'rows.deleted', 'rows.restated')
                AND data ->> 'table' = %2$L
            UNION ALL
            SELECT present.%3$I::text, %4$s, -1 FROM ONLY %1$I.%2$I AS present
        ) AS states (key, digest, number)
        WHERE states.digest IS NOT NULL
        GROUP BY states.key, states.digest HAVING sum(states.number) <> 0 ORDER BY states.key, states.digest
        $sql$, schema, tracked_table, key, public.audit_row_digest_sql('present', key, columns));
END
$$;
