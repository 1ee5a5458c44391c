-- Returns the fingerprint of the group to which an error belongs, by the rules of the groups.
--
-- `original` is the fingerprint of the error, and `failure` a JSON object with `source`, `name`, `payload` and
-- `error` ({message}). A rule to split assigns errors that meet its conditions to another group. Otherwise, a group that
-- was joined assigns all its errors to the group that it was joined to. The rules of that group follow.
--
-- The conditions of a rule to split are `text` (part of the message), `source`, `name`, and `field` with `value` (a
-- field of the payload, with dots between the keys). Conditions that the rule does not have are not checked.
CREATE OR REPLACE FUNCTION public.dlq_find_group(original char(16), failure jsonb) RETURNS char(16)
LANGUAGE plpgsql AS $$
DECLARE
    found char(16) := original;
    following char(16);
BEGIN
    -- Services reject rules that form a circle. The limit protects the capture if they fail to do so.
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
