-- Records the state of the rows of all tracked tables according to the oldest events, before these events are deleted.
--
-- The parameters name the last event that will be deleted, in the order of transactions and ids. Without the recorded
-- state, the function audit_row_differences could not verify rows whose last change was deleted. Only the recorded
-- changes are read, and not the tables, so this does not confirm a change that was made without an event.
CREATE OR REPLACE FUNCTION public.audit_carry_rows(schema text, last_transaction bigint, last_id uuid) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    changed_table text;
    changes text := format($sql$
        SELECT data ->> 'table' AS changed_table, entry
        FROM %1$I.audit_event CROSS JOIN jsonb_array_elements(data -> 'rows') AS entry
        WHERE transaction <= %2$L AND (transaction, id) <= (%2$L::bigint, %3$L::uuid)
            AND event IN ('rows.inserted', 'rows.updated', 'rows.deleted', 'rows.restated')
        $sql$, schema, last_transaction, last_id);
BEGIN
    FOR changed_table IN EXECUTE format('SELECT DISTINCT changes.changed_table FROM (%s) AS changes', changes) LOOP
        EXECUTE public.audit_insert_rows_sql(schema, changed_table, '', 'rows.restated', format($sql$
            SELECT key, CASE WHEN balance < 0 THEN digest END, CASE WHEN balance > 0 THEN digest END, '', ''
            FROM (
                SELECT entry ->> 0, state.digest, sum(state.number)
                FROM (%s) AS changes
                CROSS JOIN LATERAL (VALUES (entry ->> 1, -1), (entry ->> 2, 1)) AS state (digest, number)
                WHERE changes.changed_table = %L AND state.digest IS NOT NULL
                GROUP BY 1, 2 HAVING sum(state.number) <> 0
            ) AS states (key, digest, balance), generate_series(1, abs(balance))
            $sql$, changes, changed_table));
    END LOOP;
END
$$;
