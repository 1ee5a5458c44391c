"""The Prometheus metrics of reminders.

No label contains a hotel or a guest, because each label value adds a time series.
"""

from hotelagent.core.metrics import counter, histogram

PLANNED = counter("hotelagent_reminders_planned_total", "Planned reminders by status.", labels=["status"])
OUTCOMES = counter(
    "hotelagent_reminders_total",
    "Processed reminders by outcome: sent, unknown, failed, skipped, postponed or server_unavailable.",
    labels=["outcome"],
)
SKIPPED = counter("hotelagent_reminders_skipped_total", "Skipped reminders by reason.", labels=["reason"])
LATENESS = histogram(
    "hotelagent_reminder_late_seconds",
    "Seconds between the planned time of a reminder and its sending.",
    buckets=(1, 5, 15, 60, 300, 900, 3600, 14_400, 43_200),
)
BATCH = histogram(
    "hotelagent_reminder_batch_seconds",
    "Seconds that a worker needs for a batch of reminders.",
    buckets=(0.05, 0.1, 0.5, 1, 5, 15, 60, 120),
)
PLANNER = histogram(
    "hotelagent_reminder_planning_seconds",
    "Seconds that the planner needs for one changed reservation or one batch of a file.",
)
