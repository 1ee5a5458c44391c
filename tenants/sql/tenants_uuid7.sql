-- Returns a new UUID of version 7 (RFC 9562) for a row that another database function inserts: 48 bits of Unix time in
-- milliseconds, 12 bits with the fraction of the millisecond, and 53 random bits. Ids that one transaction generates
-- sort in the order of their generation. The ids are no secrets, so random() suffices, which is faster than
-- gen_random_uuid(). PostgreSQL has its own function from version 18.
CREATE OR REPLACE FUNCTION public.tenants_uuid7() RETURNS uuid
LANGUAGE sql VOLATILE
RETURN (
    -- The time in units of 1/4096 millisecond has 60 bits: 15 hexadecimal digits. The version is inserted as the 13th.
    overlay(
        lpad(to_hex((extract(epoch FROM clock_timestamp()) * 4096000)::bigint), 15, '0') PLACING '7' FROM 13 FOR 0)
    -- The digit 8 has the bits of the variant.
    || '8' || lpad(to_hex((random() * 1152921504606846975)::bigint), 15, '0')
)::uuid;
