-- Returns a personal value as an event stores it: an object with a new random salt and the value.
--
-- The salt is a UUID of version 4 (16 bytes), which has 122 random bits from a cryptographic generator.
CREATE OR REPLACE FUNCTION public.audit_add_salt(personal_value jsonb) RETURNS jsonb
LANGUAGE sql VOLATILE AS $$
SELECT jsonb_build_object('salt', encode(uuid_send(gen_random_uuid()), 'base64'), 'value', personal_value)
$$;
