-- Returns the statement that records events about changed rows, in the trail of the schema.
--
-- The parameter query returns the rows with these columns: key, digest before, digest after, and two texts with the
-- JSON members of the changed plain and personal columns, each member with a comma before it. A key is a UUID or an
-- integer, so it needs no escapes in JSON.
--
-- An event takes at most 56,000 bytes, so the rows are split into parts: many rows that take 40,000 bytes together, or
-- one row that takes more than 16,000 bytes. An event about one row has the row as its subject.
-- In the plain data of the event, each row is an array of four elements: key, digest before, digest after, and an
-- object with the changed columns. The digest of a missing row is null. The personal data have the key as field.
CREATE OR REPLACE FUNCTION public.audit_insert_rows_sql(
    schema text, changed_table text, subject_kind text, event_type text, query text
) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
    -- The setting role is "none" if the session has not changed its role.
    fields text := format('{"table":%s,"role":%s,"count":', to_json(changed_table), to_json(current_setting('role')));
BEGIN
    -- OFFSET 0 prevents the planner from computing an expression of a subquery several times.
    RETURN format($sql$
        WITH changed (key, was, now, plain, personal) AS (%s OFFSET 0),
        entries AS (
            SELECT key,
                concat('["', key, '",', coalesce('"' || was || '"', 'null'), ',', coalesce('"' || now || '"', 'null'),
                    ',{', substr(plain, 2), '}]') AS entry,
                CASE WHEN personal <> '' THEN
                    concat('"', key, '":{"salt":"', encode(uuid_send(gen_random_uuid()), 'base64'), '","value":{',
                        substr(personal, 2), '}}')
                END AS salted
            FROM changed WHERE was IS DISTINCT FROM now OFFSET 0
        ),
        -- The sealed text of an event has a commitment of 64 characters instead of a personal value.
        sized AS (SELECT *, octet_length(entry) + coalesce(octet_length(salted) + 70, 0) AS bytes FROM entries),
        parts AS (
            SELECT *, CASE WHEN bytes > 16000 THEN -row_number() OVER ()
                ELSE sum(bytes) FILTER (WHERE bytes <= 16000) OVER (ROWS UNBOUNDED PRECEDING) / 40000 END AS part
            FROM sized
        )
        INSERT INTO %I.audit_event (id, event, version, severity, outcome, actor_kind, actor_id, request_id, task_id,
            idempotency_key, subject_kind, subject_id, data, personal)
        SELECT public.tenants_uuid7(), %L, 1, 1, 1, 'database', left(session_user::text, 64), '', '',
            '', CASE WHEN count(*) = 1 THEN %L ELSE '' END, CASE WHEN count(*) = 1 THEN left(min(key), 64) ELSE '' END,
            (%L || count(*) || ',"rows":[' || string_agg(entry, ',') || ']}')::jsonb,
            ('{' || string_agg(salted, ',') || '}')::jsonb
        FROM parts GROUP BY part
        $sql$, query, schema, event_type, subject_kind, fields);
END
$$;
