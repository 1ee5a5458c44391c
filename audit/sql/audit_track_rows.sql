-- Records the rows that a statement changed, in the audit trail of the schema that contains the table.
--
-- The triggers of each tracked table call this function once per statement. The arguments of the trigger are the name
-- of the table, the kind of the subject, the primary key, and the comma-separated names of the plain, personal and
-- secret columns. Rows whose tracked columns have not changed are not recorded.
--
-- The function runs with the privileges of its owner, so that each change is recorded, whichever role makes it.
-- For security, the function sets the search_path before it calls any other function. It restores the settings before
-- it returns.
CREATE OR REPLACE FUNCTION public.audit_track_rows() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    saved_path text := pg_catalog.current_setting('search_path');
    saved_zone text := pg_catalog.current_setting('TimeZone');
    saved_encoding text := pg_catalog.current_setting('client_encoding');
BEGIN
    PERFORM pg_catalog.set_config('search_path', 'pg_catalog', true), pg_catalog.set_config('TimeZone', 'UTC', true),
        pg_catalog.set_config('client_encoding', 'UTF8', true);
    EXECUTE public.audit_insert_rows_sql(TG_TABLE_SCHEMA, TG_ARGV[0], TG_ARGV[1],
        CASE TG_OP WHEN 'INSERT' THEN 'rows.inserted' WHEN 'UPDATE' THEN 'rows.updated' ELSE 'rows.deleted' END,
        public.audit_tracking_sql(TG_OP, TG_RELID, TG_ARGV[2], string_to_array(TG_ARGV[3], ','),
            string_to_array(TG_ARGV[4], ','), string_to_array(TG_ARGV[5], ',')));
    PERFORM set_config('search_path', saved_path, true), set_config('TimeZone', saved_zone, true),
        set_config('client_encoding', saved_encoding, true);
    RETURN NULL;
END
$$;
