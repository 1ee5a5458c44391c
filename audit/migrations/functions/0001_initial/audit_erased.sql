-- Returns what is stored for a personal field after its erasure: a digest instead of the salt and the value.
-- The transparency log covers the digest and not the value, so an erasure does not change the log.
-- The digest is the SHA-256 of the salt and of the canonical JSON text of the value.
CREATE OR REPLACE FUNCTION public.audit_erased(stored jsonb) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE STRICT AS $$
BEGIN
    RETURN jsonb_build_object('digest', encode(sha256(
        decode(stored ->> 'salt', 'base64')
        || convert_to(public.audit_canonical_json(stored -> 'value'), 'UTF8')), 'hex'));
END
$$;
