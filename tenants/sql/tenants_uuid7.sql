-- Returns a new UUID of version 7 (RFC 9562) for a row that another database function inserts: 48 bits of Unix time in
-- milliseconds, 12 bits of the time below the millisecond, and random bits. Ids that one transaction generates sort in
-- the order of their generation. PostgreSQL has its own function from version 18.
CREATE OR REPLACE FUNCTION public.tenants_uuid7() RETURNS uuid
LANGUAGE plpgsql AS $$
DECLARE
    microseconds bigint := extract(epoch FROM clock_timestamp()) * 1000000;
BEGIN
    RETURN encode(
        substring(int8send(microseconds / 1000) FROM 3)
            -- The version in the first four bits: 28672 is 0x7000.
            || int2send((28672 + microseconds % 1000 * 4096 / 1000)::smallint)
            -- The second half of a random UUID begins with the bits of the variant.
            || substring(uuid_send(gen_random_uuid()) FROM 9),
        'hex')::uuid;
END
$$;
