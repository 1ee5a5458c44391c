"""The database functions that capture, claim and resolve failures, and the periodic tasks for failures of the platform.

Failures of hotels use the due queue.
"""

from django.db import migrations

from tenants.database.function_migrations import InstallFunctions
from tenants.queue.periodic_tasks import add_periodic_tasks

#: task: (every, period, description in the admin).
PERIODIC_TASKS = {
    "dlq.tasks.retry_platform_due": (15, "seconds", "Retries failures of the platform"),
    "dlq.tasks.watch_all": (60, "seconds", "Counts failures for metrics and alerts"),
    "dlq.tasks.clean_up_platform": (1, "days", "Deletes old failures of the platform"),
}


class Migration(migrations.Migration):
    dependencies = [
        ("dlq", "0001_initial"),
        # The function calls those of these apps.
        ("audit", "0001_initial"),
        ("tenants", "0002_triggers_and_data"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    ]

    operations = [
        InstallFunctions(
            migration="0002_function_and_periodic_tasks",
            functions=[
                "dlq_find_group",
                "dlq_store_group",
                "dlq_capture",
                "dlq_lock_order",
                "dlq_blocking_failure",
                "dlq_overtake",
                "dlq_wake_next",
                "dlq_resolve",
                "dlq_claim",
                "dlq_record_success",
            ],
        ),
        add_periodic_tasks(PERIODIC_TASKS),
    ]
