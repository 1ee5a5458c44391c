"""What Prometheus sees of the due queue. No label names a hotel."""

from django.db import connection

from hotelagent.core.metrics import counter, histogram, level
from tenants.context import platform_context
from tenants.queue.due import LEASE

HANDED_OUT = counter(
    "hotelagent_due_handed_out_total", "Items that were due and handed out, by kind.", labels=["kind"]
)
TICK = histogram("hotelagent_due_tick_seconds", "Seconds that a tick took to hand out what is due.")


def oldest_due() -> float:
    """Seconds since the oldest due item was due, of all that wait for a worker or are in the hands of one.

    By the index on `claim_at`: what is handed out is claimed for a lease, so nothing that is due is later.
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
        connection.close()  # the thread is the scrape's


level("hotelagent_due_oldest_seconds", "Seconds since the oldest item that is not done was due.", oldest_due)
