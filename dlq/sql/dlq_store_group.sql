-- Finds the group to which an error belongs, and returns the fingerprint of the group.
-- The function stores the group with the fingerprint of the error, if that group does not exist yet.
-- If the group of the fingerprint is joined to another group or has rules, dlq_find_group finds the group of the error.
--
-- The parameter `request` is a JSON object with the keys `name`, `source`, `payload`, `actor`, `error` and `attempt`.
-- `error` is a JSON object that describes the captured error.
-- `error` has the keys `type`, `message`, `translatable_message`, `fingerprint`, `location` and `traceback`.
-- `attempt` is an object with the key `code_version`.
--
-- The function never waits for another transaction that captures an error of the same group, unless the group is new.
-- The function updates the time at which the group was last seen, and the versions of the group.
-- If the latest error of a group is less than ten seconds old and its code version is known, the group is not updated.
-- If another transaction has locked the row of the group, the function does not update the group.
--
-- An acknowledged group has regressed if an error of the group occurs in a new version of the code.
-- A group whose latest failures are all closed has regressed if an error occurs after seven days without an error.
CREATE OR REPLACE FUNCTION public.dlq_store_group(request jsonb) RETURNS char(16)
LANGUAGE plpgsql AS $$
DECLARE
    seen_at timestamptz := clock_timestamp();
    seen_recently timestamptz := seen_at - interval '10 seconds';
    seen_long_ago timestamptz := seen_at - interval '7 days';
    error jsonb := request -> 'error';
    code_version text := coalesce(request #>> '{attempt,code_version}', '');
    original char(16) := error ->> 'fingerprint';
    seen record;
    locked record;
    is_new_version boolean;
    has_regressed boolean;
BEGIN
    SELECT fingerprint, joined_to, splits, last_seen_at, versions INTO seen
    FROM dlq_failuregroup WHERE fingerprint = original;
    IF NOT FOUND THEN
        INSERT INTO dlq_failuregroup (
            fingerprint, name, error_type, location, error_message, translatable_message, traceback, last_seen_at,
            versions)
        VALUES (
            original, request ->> 'name', error ->> 'type', error ->> 'location', error ->> 'message',
            nullif(error -> 'translatable_message', 'null'), error ->> 'traceback', seen_at,
            CASE WHEN code_version = '' THEN '{}'::varchar[] ELSE ARRAY[code_version]::varchar[] END)
        ON CONFLICT (fingerprint) DO NOTHING;
        RETURN original;
    END IF;

    IF seen.joined_to IS NOT NULL OR seen.splits IS NOT NULL THEN
        SELECT fingerprint, joined_to, splits, last_seen_at, versions INTO seen
        FROM dlq_failuregroup WHERE fingerprint = dlq_find_group(original, request);
        IF NOT FOUND THEN
            -- If a rule assigns the error to a missing group, the error stays in the group of its fingerprint.
            RETURN original;
        END IF;
    END IF;

    IF seen.last_seen_at < seen_recently OR (code_version <> '' AND NOT code_version = ANY (seen.versions)) THEN
        SELECT acknowledged_at, last_seen_at, versions INTO locked
        FROM dlq_failuregroup WHERE fingerprint = seen.fingerprint FOR NO KEY UPDATE SKIP LOCKED;
        IF FOUND THEN
            is_new_version := code_version <> '' AND NOT code_version = ANY (locked.versions);
            has_regressed := (is_new_version AND locked.acknowledged_at IS NOT NULL)
                OR (locked.last_seen_at < seen_long_ago AND NOT EXISTS (
                    SELECT FROM (
                        SELECT status FROM dlq_failure WHERE fingerprint = seen.fingerprint ORDER BY id DESC LIMIT 1000
                    ) AS latest
                    WHERE latest.status IN ('scheduled', 'retrying', 'in_doubt', 'permanent')));
            UPDATE dlq_failuregroup SET
                last_seen_at = seen_at,
                versions = CASE
                    WHEN is_new_version THEN (ARRAY[code_version]::varchar[] || versions)[1:50] ELSE versions END,
                acknowledged_at = CASE WHEN has_regressed THEN NULL ELSE acknowledged_at END,
                regressed_at = CASE WHEN has_regressed THEN seen_at ELSE regressed_at END,
                regressed_version = CASE WHEN has_regressed THEN code_version ELSE regressed_version END
            WHERE fingerprint = seen.fingerprint;
            IF has_regressed THEN
                PERFORM audit_record(
                    request -> 'actor', 'failure_group.regressed', 'failure_group', seen.fingerprint::text,
                    jsonb_build_object(
                        'name', request ->> 'name', 'error', error ->> 'type', 'version', code_version));
            END IF;
        END IF;
    END IF;
    RETURN seen.fingerprint;
END
$$;
