-- This function records the progress of a worker between two messages, in one round trip and one commit.
--
-- The parameter `request` is a JSON object whose keys are all optional.
-- The key `sent` of the request describes the reminder whose message the mail server has accepted.
-- The object `sent` has the keys `id`, `attempts`, `sent_at`, `actor`, `event_data` and `personal_data`.
-- The key `finished` of the request contains the ids of reminders as a PostgreSQL array literal.
-- Reminders in the array `finished` whose status is `sent` are removed from the queue of due items.
-- The key `hotel` of the request contains the id of the hotel to which the reminders in `finished` belong.
-- The key `next` of the request describes the reminder whose message the worker transmits next.
-- The value of `next` has the keys `id`, `attempts`, `reservation`, `reservation_version` and `recipient`.
--
-- The number `attempts` identifies a claim. Nothing is changed if another worker has claimed the reminder.
-- A second call with the same request changes nothing, so the worker can repeat the call if the connection is lost.
--
-- The function returns whether the transmission of the message `next` may start.
-- If the request has no key `next`, the function returns null.
-- A transmission may not start if the claim was lost or if the reservation has changed since the message was built.
CREATE OR REPLACE FUNCTION public.reminders_record_progress(request jsonb) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
    sent jsonb := request -> 'sent';
    following jsonb := request -> 'next';
    started_at timestamptz := clock_timestamp();
BEGIN
    IF sent IS NOT NULL THEN
        UPDATE reminders_reminder
        SET status = 'sent', sent_at = (sent ->> 'sent_at')::timestamptz, last_error = NULL
        WHERE id = (sent ->> 'id')::uuid AND attempts = (sent -> 'attempts')::int
          AND status IN ('sending', 'unknown');
        IF FOUND THEN
            PERFORM audit_record(
                sent -> 'actor', 'reminder.sent', 'reminder', (sent ->> 'id')::uuid::text, sent -> 'event_data',
                sent -> 'personal_data');
        END IF;
    END IF;

    IF request ? 'finished' THEN
        PERFORM tenants_cancel_due((request ->> 'hotel')::uuid, 'reminder', id)
        FROM reminders_reminder
        WHERE id = ANY ((request ->> 'finished')::uuid[]) AND status = 'sent';
    END IF;

    IF following IS NULL THEN
        RETURN NULL;
    END IF;
    UPDATE reminders_reminder AS reminder
    SET transmission_started_at = started_at, recipient = following ->> 'recipient'
    FROM reminders_reservation AS reservation
    WHERE reminder.id = (following ->> 'id')::uuid AND reminder.attempts = (following -> 'attempts')::int
      AND reminder.status = 'sending'
      AND reservation.id = (following ->> 'reservation')::uuid AND reservation.id = reminder.reservation_id
      AND reservation.updated_at = (following ->> 'reservation_version')::timestamptz;
    RETURN to_jsonb(FOUND);
END
$$;
