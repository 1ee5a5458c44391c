"""The Prometheus metrics of holds. No label contains a hotel or a room."""

from django.db import connection

from hotelagent.core.metrics import counter, gauge, histogram
from locks import policy
from tenants.context import platform_context

ACQUIRE_SECONDS = histogram(
    "hotelagent_hold_acquire_seconds",
    "Duration of attempts to acquire rooms, by outcome: held, or the code of the error.",
    labels=["outcome"],
    # The service level objective in deploy/slo.md needs the bucket of 0.3 seconds.
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.3, 1.0, 5.0, 15.0),
)
ENDED = counter(
    "hotelagent_holds_ended_total",
    "Rooms whose hold ended, by how it ended: confirmed, released, forced or expired.",
    labels=["how"],
)
EXTENDED = counter("hotelagent_holds_extended_total", "Rooms whose hold was extended.")


def active_holds() -> float:
    """Return the number of holds in all hotels that have neither expired nor ended.

    The function runs a single query of the queue of due items, because the queue contains the expiry of each hold.
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
        # The thread is idle until the next request for metrics, so it must not keep its database connection.
        connection.close()


gauge("hotelagent_holds_active", "Rooms that are held now in all hotels.", active_holds)
