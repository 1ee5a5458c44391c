"""What Prometheus sees of reminders. No label names a hotel or a guest."""

from hotelagent.core.metrics import counter, histogram

PLANNED = counter("hotelagent_reminders_planned_total", "Reminders planned, by status.", labels=["status"])
OUTCOMES = counter(
    "hotelagent_reminders_total",
    "Reminders dealt with: sent, unknown, failed, skipped, or put back for later.",
    labels=["outcome"],
)
SKIPPED = counter("hotelagent_reminders_skipped_total", "Reminders skipped, by reason.", labels=["reason"])
LATENESS = histogram(
    "hotelagent_reminder_late_seconds",
    "Seconds from a reminder's planned moment to its sending.",
    buckets=(1, 5, 15, 60, 300, 900, 3600, 14_400, 43_200),
)
BATCH = histogram(
    "hotelagent_reminder_batch_seconds",
    "Seconds that a worker took for a batch of reminders.",
    buckets=(0.05, 0.1, 0.5, 1, 5, 15, 60, 120),
)
PLANNER = histogram(
    "hotelagent_reminder_planning_seconds",
    "Seconds to plan the reminders of one change or one chunk of a file.",
)
