-- Returns a personal value as an event stores it: an object with a new random salt and the value.
--
-- The salt has 16 bytes: a UUID of version 4 has 122 random bits of a cryptographic generator.
CREATE OR REPLACE FUNCTION public.audit_add_salt(personal_value jsonb) RETURNS jsonb
LANGUAGE sql VOLATILE
RETURN jsonb_build_object('salt', encode(uuid_send(gen_random_uuid()), 'base64'), 'value', personal_value);
