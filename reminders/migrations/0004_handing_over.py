"""What sending asks of the database, in one call each: a batch is claimed and read, a mail is handed over.

As functions, because of their plans, as in `locks` (migration 0002): parsing and planning these statements anew for
each mail took longer than doing what they say. They answer with whole rows, as JSON: `reminders.sending.rows`.

Without variables of their own: each expression is a plan, which a connection keeps for each hotel that it served and
walks through whenever a table anywhere is analysed. Arrays come as PostgreSQL writes them: '{...}'.
"""

from django.db import migrations

from audit.sql import event_insert

_FUNCTION = """
CREATE FUNCTION {name}(given jsonb) RETURNS jsonb
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
#variable_conflict use_column
{body}
$$
"""

# Claims what is scheduled and due, or whose worker died before it sent anything. With it, all that is needed to send
# it, but what all the hotel's mails share only where its revision is not the one that is `known`. Null where nothing
# was claimed.
# SKIP LOCKED: two workers that were handed the same ids share them instead of waiting for each other.
CLAIM = _FUNCTION.format(
    name="reminders_claim",
    body="""
DECLARE
    claimed jsonb;
    current uuid;
BEGIN
    WITH mine AS (
        SELECT r.id, r.reservation_id FROM reminders_reminder r
        WHERE r.id = ANY ((given ->> 'ids')::uuid[])
          AND (r.status = 'scheduled' AND r.planned_for <= (given ->> 'now')::timestamptz
            OR r.status = 'sending' AND r.transmission_started_at IS NULL
              AND r.claimed_at < clock_timestamp() - make_interval(secs => (given -> 'stale_after')::float))
        FOR UPDATE SKIP LOCKED
    ), taken AS (
        UPDATE reminders_reminder r SET
            status = 'sending', attempts = r.attempts + 1, claimed_at = clock_timestamp(), transmission_started_at = NULL,
            last_error = CASE WHEN r.status = 'sending' THEN '{"msgid": "The worker was lost."}' ELSE r.last_error END
        FROM mine, reminders_reservation v
        WHERE r.id = mine.id AND v.id = mine.reservation_id
        RETURNING to_jsonb(r) AS reminder, to_jsonb(v) AS reservation,
            EXISTS (SELECT FROM reminders_suppression s WHERE lower(s.email) = lower(v.guest_email)) AS suppressed
    )
    SELECT jsonb_agg(taken) INTO claimed FROM taken;
    IF claimed IS NULL THEN
        RETURN NULL;
    END IF;
    -- Read before what it stands for: a change in between is found by the next batch.
    SELECT revision INTO current FROM reminders_emailbranding;
    IF current <> (given ->> 'known')::uuid IS NOT FALSE THEN
        RETURN jsonb_build_object(
            'claimed', claimed,
            'revision', current,
            'rules', (SELECT jsonb_agg(u) FROM reminders_rule u),
            'templates', (SELECT jsonb_agg(t) FROM reminders_template t),
            'branding', (SELECT to_jsonb(b) FROM (
                SELECT id, colour, logo_type, logo_width, logo_height, logo_digest FROM reminders_emailbranding) b));
    END IF;
    RETURN jsonb_build_object('claimed', claimed);
END""",
)

_SENT = "(given ->> 'sent')::uuid"

# What is marked already (the answer to that got lost) is marked and told no second time. The answer says whether
# `next` may leave: not where another has its claim, or its reservation is not as it was read.
HAND_OVER = _FUNCTION.format(
    name="reminders_hand_over",
    body=f"""
BEGIN
    IF given ? 'sent' THEN
        UPDATE reminders_reminder r
        SET status = 'sent', sent_at = (given ->> 'sent_at')::timestamptz, last_error = NULL
        WHERE r.id = (given ->> 'sent')::uuid AND r.attempts = (given -> 'sent_attempts')::int
          AND r.status IN ('sending', 'unknown');
        IF FOUND THEN
            {event_insert("reminder.sent", subject=("reminder", _SENT), data="given -> 'data'")}
        END IF;
    END IF;
    IF given ? 'done' THEN
        DELETE FROM public.tenants_dueitem item
        WHERE item.hotel_id = (given ->> 'hotel')::uuid AND item.kind = 'reminder'
          AND item.item_id = ANY ((given ->> 'done')::uuid[])
          AND (SELECT r.status FROM reminders_reminder r WHERE r.id = item.item_id) = 'sent';
    END IF;
    IF NOT given ? 'next' THEN
        RETURN NULL;
    END IF;
    UPDATE reminders_reminder r
    SET transmission_started_at = clock_timestamp(), recipient = given ->> 'recipient'
    FROM reminders_reservation v
    WHERE r.id = (given ->> 'next')::uuid AND r.attempts = (given -> 'next_attempts')::int AND r.status = 'sending'
      AND v.id = (given ->> 'reservation')::uuid AND v.id = r.reservation_id
      AND v.updated_at = (given ->> 'version')::timestamptz;
    RETURN to_jsonb(FOUND);
END""",  # noqa: S608 - put together from constants
)


class Migration(migrations.Migration):
    dependencies = [("reminders", "0003_brand"), ("audit", "0001_initial")]

    operations = [
        migrations.RunSQL(
            [CLAIM, HAND_OVER], ["DROP FUNCTION reminders_claim", "DROP FUNCTION reminders_hand_over"]
        )
    ]
