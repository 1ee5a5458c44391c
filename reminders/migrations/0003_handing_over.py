"""A mail's commit by one call: the one before it was sent, this one is about to leave (`reminders.claims`). With the
last of a batch, what was sent leaves the due queue.

As a function, because of its plans, as in `locks` (migration 0002): parsing and planning these statements anew for
each mail took longer than doing what they say.
"""

from django.db import migrations

# What is marked already (the answer to that got lost) is marked and told no second time. The answer says whether
# `next` may leave: not where another has its claim, or its reservation is not as it was read.
HAND_OVER = """
CREATE FUNCTION reminders_hand_over(given jsonb) RETURNS jsonb
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
    sent uuid := given ->> 'sent';
    next uuid := given ->> 'next';
BEGIN
    IF sent IS NOT NULL THEN
        UPDATE reminders_reminder r
        SET status = 'sent', sent_at = (given ->> 'sent_at')::timestamptz, last_error = ''
        WHERE r.id = sent AND r.attempts = (given -> 'sent_attempts')::int AND r.status IN ('sending', 'unknown');
        IF FOUND THEN
            INSERT INTO audit_event (id, event, actor_kind, actor_id, actor_label, ip, request_id,
                subject_kind, subject_id, data)
            VALUES ((given ->> 'event')::uuid, 'reminder.sent', given ->> 'actor_kind', given ->> 'actor_id',
                given ->> 'actor_label', (given ->> 'ip')::inet, given ->> 'request_id',
                'reminder', sent::text, given -> 'data');
        END IF;
    END IF;
    IF given ? 'done' THEN
        DELETE FROM public.tenants_dueitem item
        WHERE item.hotel_id = (given ->> 'hotel')::uuid AND item.kind = 'reminder'
          AND item.item_id = ANY (ARRAY(SELECT jsonb_array_elements_text(given -> 'done')::uuid))
          AND (SELECT r.status FROM reminders_reminder r WHERE r.id = item.item_id) = 'sent';
    END IF;
    IF next IS NULL THEN
        RETURN NULL;
    END IF;
    UPDATE reminders_reminder r
    SET handed_over_at = clock_timestamp(), recipient = given ->> 'recipient'
    FROM reminders_reservation v
    WHERE r.id = next AND r.attempts = (given -> 'next_attempts')::int AND r.status = 'sending'
      AND v.id = (given ->> 'reservation')::uuid AND v.id = r.reservation_id
      AND v.updated_at = (given ->> 'version')::timestamptz;
    RETURN to_jsonb(FOUND);
END
$$
"""


class Migration(migrations.Migration):
    dependencies = [("reminders", "0002_defaults"), ("audit", "0001_initial")]

    operations = [migrations.RunSQL(HAND_OVER, "DROP FUNCTION reminders_hand_over")]
