"""The database functions that capture, claim and resolve failures, and the periodic tasks for failures of the platform.

Failures of hotels use the due queue.
"""

from django.db import migrations, router

from tenants.database.function_migrations import InstallFunctions

#: task: (every, period, description in the admin, seconds after which a waiting message expires).
PERIODIC_TASKS = {
    # A message that waited longer than two periods for a worker expires: the next one does its work.
    "dlq.tasks.retry_platform_due": (15, "seconds", "Retries failures of the platform", 30),
    "dlq.tasks.watch_all": (60, "seconds", "Counts failures for metrics and alerts", 120),
    "dlq.tasks.clean_up_platform": (1, "days", "Deletes old failures of the platform", None),
}


def add(apps, schema_editor):
    IntervalSchedule = apps.get_model("django_celery_beat", "IntervalSchedule")
    PeriodicTask = apps.get_model("django_celery_beat", "PeriodicTask")
    if not router.allow_migrate_model(schema_editor.connection.alias, PeriodicTask):
        return  # the schema of a hotel, which has no tables of Celery beat
    for task, (every, period, description, expire_seconds) in PERIODIC_TASKS.items():
        interval, _created = IntervalSchedule.objects.get_or_create(every=every, period=period)
        PeriodicTask.objects.get_or_create(
            name=task,
            defaults={
                "task": task,
                "interval": interval,
                "description": description,
                "expire_seconds": expire_seconds,
            },
        )


def remove(apps, schema_editor):
    PeriodicTask = apps.get_model("django_celery_beat", "PeriodicTask")
    if router.allow_migrate_model(schema_editor.connection.alias, PeriodicTask):
        PeriodicTask.objects.filter(name__in=PERIODIC_TASKS).delete()


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
        migrations.RunPython(add, remove),
    ]
