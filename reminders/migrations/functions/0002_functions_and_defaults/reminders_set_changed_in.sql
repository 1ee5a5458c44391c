-- This trigger function stores the number of the transaction that updates a row in the column `changed_in`.
-- The default value of the column does the same for new rows.
-- Clients list the changes in the order of these numbers (hotelagent/rest/lists/changes.py).
CREATE OR REPLACE FUNCTION public.reminders_set_changed_in() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    NEW.changed_in := pg_current_xact_id()::text::bigint;
    RETURN NEW;
END
$$;
