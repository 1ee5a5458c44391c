"""What Prometheus sees of holds. No label names a hotel or a room."""

from django.db import connection

from hotelagent.core.metrics import counter, gauge, histogram
from locks import policy
from tenants.context import platform_context

ACQUIRE_SECONDS = histogram(
    "hotelagent_hold_acquire_seconds",
    "Seconds to hold rooms or to be refused, audit included, by outcome (held, or the error's code).",
    labels=["outcome"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 15.0),
)
ENDED = counter(
    "hotelagent_holds_ended_total",
    "Rooms whose hold ended, by how: confirmed, released, forced, expired.",
    labels=["how"],
)
EXTENDED = counter("hotelagent_holds_extended_total", "Rooms whose hold was extended.")


def active_holds() -> float:
    """Holds of all hotels that have not lapsed: one query of the due queue, where each has its item.

    By the index on `claim_at`, over the part of the queue that holds can stand in: not the reminders of months.
    """
    try:
        with platform_context(), connection.cursor() as cursor:
            cursor.execute(
                """
                SELECT count(*) FROM tenants_dueitem
                WHERE claim_at > statement_timestamp()
                  AND claim_at <= statement_timestamp() + make_interval(secs => %s)
                  AND kind = 'hold' AND due_at > statement_timestamp()
                """,
                [policy.MAX_LIFETIME_SECONDS],
            )
            return float(cursor.fetchone()[0])
    finally:
        connection.close()  # the thread is the scrape's


gauge("hotelagent_holds_active", "Rooms that are held now, in all hotels.", active_holds)
