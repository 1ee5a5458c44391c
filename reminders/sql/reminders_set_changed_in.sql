-- This trigger function stores the number of the transaction that updates a row in the column `changed_in`.
-- For new rows, the default value of the column is the number of the current transaction.
-- Clients list changed rows in the order of the column `changed_in` (hotelagent/rest/lists/changes.py).
CREATE OR REPLACE FUNCTION public.reminders_set_changed_in() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    NEW.changed_in := pg_current_xact_id()::text::bigint;
    RETURN NEW;
END
$$;
