-- This trigger function stores the time and the number of the transaction that updates a row.
-- The columns are `updated_at` and `changed_in`. The default values of the columns do the same for new rows.
-- Clients list the changes in the order of these numbers (hotelagent/rest/lists/changes.py).
-- An update that writes `changed_in` keeps the time. The changes of a restored hotel are numbered again in this way.
CREATE OR REPLACE FUNCTION public.tenants_set_changed_in() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.changed_in = OLD.changed_in THEN
        NEW.updated_at := statement_timestamp();
    END IF;
    NEW.changed_in := pg_current_xact_id()::text::bigint;
    RETURN NEW;
END
$$;
