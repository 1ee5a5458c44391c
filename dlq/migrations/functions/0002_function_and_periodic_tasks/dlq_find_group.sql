-- Returns the fingerprint of the group to which an error belongs after groups were joined or split.
--
-- `original` is the fingerprint of the error.
-- `failure` is a JSON object with the keys `source`, `name`, `payload` and `error`. `error` has the key `message`.
--
-- A split rule assigns the errors that meet its conditions to another group.
-- If no split rule applies and the group was joined to another group, the error is assigned to that other group.
-- If a rule assigns the error to another group, the rules of that other group are applied to the error, too.
--
-- The conditions of a split rule are `text` (part of the message), `source`, `name`, and `field` with `value`.
-- `field` is the path of a field of the payload, with dots between the keys.
-- A split rule may contain only some of these conditions.
CREATE OR REPLACE FUNCTION public.dlq_find_group(original char(16), failure jsonb) RETURNS char(16)
LANGUAGE plpgsql AS $$
DECLARE
    found char(16) := original;
    following char(16);
BEGIN
    -- The services reject rules that form a cycle, such as two groups that are joined to each other.
    -- If the rules form a cycle after all, the loop ends after ten steps, so that the failure can be stored.
    FOR step IN 1..10 LOOP
        SELECT coalesce(
            (SELECT split.rule ->> 'fingerprint'
             FROM jsonb_array_elements(nullif(current_group.splits, 'null')) WITH ORDINALITY AS split (rule, number)
             WHERE (split.rule ->> 'text' IS NULL
                    OR strpos(lower(failure #>> '{error,message}'), lower(split.rule ->> 'text')) > 0)
               AND (split.rule ->> 'source' IS NULL OR failure ->> 'source' = split.rule ->> 'source')
               AND (split.rule ->> 'name' IS NULL OR failure ->> 'name' = split.rule ->> 'name')
               AND (split.rule ->> 'field' IS NULL
                    OR failure -> 'payload' #>> string_to_array(split.rule ->> 'field', '.') = split.rule ->> 'value')
             ORDER BY split.number
             LIMIT 1),
            current_group.joined_to)
        INTO following
        FROM dlq_failuregroup AS current_group
        WHERE current_group.fingerprint = found;
        EXIT WHEN following IS NULL;
        found := following;
    END LOOP;
    RETURN found;
END
$$;
