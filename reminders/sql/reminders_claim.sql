-- This function claims reminders for a worker, and returns the data that the worker needs to send the reminders.
--
-- The parameter `request` is a JSON object.
-- The key `ids` of the request contains the ids of the reminders that are due, as a PostgreSQL array literal.
-- The key `now` of the request contains the current time. Reminders whose planned time is later are not claimed.
-- The key `claim_timeout` of the request is the number of seconds until a claim without a transmission expires.
-- The key `known_revision` of the request is the revision of the worker's cached mail settings, or null.
--
-- A reminder is claimed if it is scheduled and due, or if its claim expired before the transmission had started.
-- Reminders that another transaction has locked are skipped, so that workers don't wait for each other.
--
-- The function returns a JSON object, or null if no reminder was claimed.
-- The key `claimed` of the result is an array of objects with the keys `reminder`, `reservation` and `is_suppressed`.
-- Each value of `reminder` and `reservation` is a JSON object that maps the column names of a table row to values.
-- The key `revision` of the result contains the current revision of the hotel's mail settings.
-- The keys `rules`, `templates` and `branding` of the result contain the hotel's mail settings.
-- The mail settings are omitted if `revision` equals `known_revision`.
-- The value of `branding` is null if the hotel has not changed the default branding.
--
-- The revision is read after the reminders are claimed, so it covers all settings that were committed before the claim.
CREATE OR REPLACE FUNCTION public.reminders_claim(request jsonb) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
    claim_time timestamptz := clock_timestamp();
    expired_before timestamptz := claim_time - make_interval(secs => (request ->> 'claim_timeout')::float);
    claimed_ids uuid[];
    result jsonb;
BEGIN
    claimed_ids := ARRAY(
        SELECT reminder.id FROM reminders_reminder AS reminder
        WHERE reminder.id = ANY ((request ->> 'ids')::uuid[])
          AND (reminder.status = 'scheduled' AND reminder.planned_for <= (request ->> 'now')::timestamptz
            OR reminder.status = 'sending' AND reminder.transmission_started_at IS NULL
              AND reminder.claimed_at < expired_before)
        FOR UPDATE SKIP LOCKED);
    IF claimed_ids = '{}' THEN
        RETURN NULL;
    END IF;

    UPDATE reminders_reminder
    SET status = 'sending', attempts = attempts + 1, claimed_at = claim_time, transmission_started_at = NULL,
        last_error = CASE WHEN status = 'sending' THEN '{"msgid": "The worker stopped unexpectedly."}' ELSE last_error END
    WHERE id = ANY (claimed_ids);

    SELECT jsonb_build_object(
        'claimed', jsonb_agg(jsonb_build_object(
            'reminder', reminder,
            'reservation', reservation,
            'is_suppressed', EXISTS (
                SELECT FROM reminders_suppression AS suppression
                WHERE lower(suppression.email) = lower(reservation.guest_email)))),
        'revision', (
            SELECT md5(string_agg(part.revision::text, ' ' ORDER BY part.revision))
            FROM (
                SELECT revision FROM reminders_rule
                UNION ALL SELECT revision FROM reminders_template
                UNION ALL SELECT revision FROM reminders_emailbranding
            ) AS part))
    INTO result
    FROM reminders_reminder AS reminder
    JOIN reminders_reservation AS reservation ON reservation.id = reminder.reservation_id
    WHERE reminder.id = ANY (claimed_ids);

    IF result ->> 'revision' IS DISTINCT FROM request ->> 'known_revision' THEN
        result := result || jsonb_build_object(
            'rules', (SELECT jsonb_agg(rule) FROM reminders_rule AS rule),
            'templates', (SELECT jsonb_agg(template) FROM reminders_template AS template),
            'branding', (SELECT to_jsonb(branding) FROM (
                SELECT id, colour, logo_type, logo_width, logo_height, logo_digest FROM reminders_emailbranding
            ) AS branding));
    END IF;
    RETURN result;
END
$$;
