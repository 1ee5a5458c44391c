-- This trigger function stores a digest of the row's other columns in the column `revision`.
-- Workers compare revisions to detect outdated cached mail settings (reminders/sending/mail_settings.py).
-- The digest omits the column `logo`, because the column `logo_digest` changes with the logo.
CREATE OR REPLACE FUNCTION public.reminders_set_revision() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    NEW.revision := md5((to_jsonb(NEW) - 'revision' - 'logo')::text)::uuid;
    RETURN NEW;
END
$$;
