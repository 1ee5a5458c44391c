-- Returns the stored form of a personal field after its erasure: the digest that the entry of the event contains.
-- The digest is the SHA-256 of the salt and of the canonical JSON text of the value.
CREATE OR REPLACE FUNCTION public.audit_erased(stored jsonb) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE STRICT AS $$
BEGIN
    RETURN jsonb_build_object('digest', encode(sha256(
        decode(stored ->> 'salt', 'base64')
        || convert_to(public.audit_canonical_json(stored -> 'value'), 'UTF8')), 'hex'));
END
$$;
