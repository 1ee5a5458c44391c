"""What Prometheus sees of holds. No label names a hotel or a room."""

from hotelagent.metrics import counter, histogram

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
NOTICES = counter(
    "hotelagent_webhook_notices_total",
    "Attempts to tell a webhook, by outcome: sent, failed.",
    labels=["outcome"],
)
