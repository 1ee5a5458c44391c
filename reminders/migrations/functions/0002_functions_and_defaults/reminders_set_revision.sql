-- Sets the revision of a row that is inserted or updated: a digest of its other columns. Workers compare the revisions
-- of a hotel's rules, templates and branding with those of the mail settings that they have cached
-- (reminders/sending/mail_settings.py). The logo is represented by its own digest.
CREATE OR REPLACE FUNCTION public.reminders_set_revision() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    NEW.revision := md5((to_jsonb(NEW) - 'revision' - 'logo')::text)::uuid;
    RETURN NEW;
END
$$;
