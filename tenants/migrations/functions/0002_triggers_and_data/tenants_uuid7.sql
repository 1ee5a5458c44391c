-- Returns a new UUID of version 7 (RFC 9562), for rows that other database functions insert.
-- The UUID has 48 bits of Unix time in milliseconds, 12 bits for the fraction of a millisecond, and 52 random bits.
-- The UUIDs that one transaction generates sort in the order of their generation.
-- The UUIDs need not be secret, so they use random(), which is faster than gen_random_uuid().
-- PostgreSQL 18 and newer versions have the built-in function uuidv7().
CREATE OR REPLACE FUNCTION public.tenants_uuid7() RETURNS uuid
LANGUAGE sql VOLATILE
RETURN (
    -- The time in units of 1/4096 millisecond has 15 hexadecimal digits. The UUID version, 7, is inserted as digit 13.
    overlay(
        lpad(to_hex((extract(epoch FROM clock_timestamp()) * 4096000)::bigint), 15, '0') PLACING '7' FROM 13 FOR 0)
    -- The two bits of the UUID variant must be 1 and 0. The hexadecimal digit 8 (binary 1000) begins with these bits.
    || '8' || lpad(to_hex((random() * 1152921504606846975)::bigint), 15, '0')
)::uuid;
