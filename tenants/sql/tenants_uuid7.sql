-- Returns a new UUID of version 7 (RFC 9562) for a row that another database function inserts: 48 bits of Unix time in
-- milliseconds, 12 bits with the fraction of the millisecond, and 62 random bits. Ids that one transaction generates
-- sort in the order of their generation. PostgreSQL has its own function from version 18.
CREATE OR REPLACE FUNCTION public.tenants_uuid7() RETURNS uuid
LANGUAGE sql VOLATILE
RETURN (
    -- The time in units of 1/4096 millisecond has 60 bits: 15 hexadecimal digits. The version is inserted as the 13th.
    overlay(
        lpad(to_hex((extract(epoch FROM clock_timestamp()) * 4096000)::bigint), 15, '0') PLACING '7' FROM 13 FOR 0)
    -- The second half of a random UUID begins with the bits of the variant.
    || substring(gen_random_uuid()::text FROM 20)
)::uuid;
