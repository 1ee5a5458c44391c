"""The Prometheus metrics of the due queue.

The metrics have no hotel label, because such a label would create a time series for each hotel.
"""

from django.db import connection

from hotelagent.core.metrics import counter, gauge, histogram
from tenants.context import platform_context
from tenants.queue.due import LEASE

DISPATCHED = counter(
    "hotelagent_due_dispatched_total", "Due items that were sent to their tasks, by kind.", labels=["kind"]
)
TICK = histogram("hotelagent_due_tick_seconds", "Duration of a tick of the due queue's dispatcher.")


def oldest_due() -> float:
    """Return the number of seconds since the oldest due item became due. Items that a worker has claimed are included.

    The condition on `claim_at` excludes no due item, but lets PostgreSQL use the index on this column.
    """
    try:
        with platform_context(), connection.cursor() as cursor:
            cursor.execute(
                """
                SELECT coalesce(greatest(0, extract(epoch FROM statement_timestamp() - min(due_at))), 0)
                FROM tenants_dueitem
                WHERE claim_at <= statement_timestamp() + make_interval(secs => %s) AND due_at <= statement_timestamp()
                """,
                [LEASE.total_seconds()],
            )
            return float(cursor.fetchone()[0])
    finally:
        # Prometheus calls this function in a separate thread, and Django does not close the connections of that thread.
        connection.close()


gauge(
    "hotelagent_due_oldest_seconds",
    "Age of the oldest due item that is not completed, in seconds.",
    oldest_due,
)
