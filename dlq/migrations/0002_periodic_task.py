"""The periodic task that retries failures of the platform. Failures of hotels use the due queue."""

from django.db import migrations, router

SCHEDULE = {"every": 15, "period": "seconds"}
TASK = "dlq.tasks.retry_platform_due"


def add(apps, schema_editor):
    PeriodicTask = apps.get_model("django_celery_beat", "PeriodicTask")
    if not router.allow_migrate_model(schema_editor.connection.alias, PeriodicTask):
        return  # the schema of a hotel, which has no tables of Celery beat
    interval, _created = apps.get_model("django_celery_beat", "IntervalSchedule").objects.get_or_create(
        **SCHEDULE
    )
    PeriodicTask.objects.get_or_create(
        name=TASK,
        defaults={
            "task": TASK,
            "interval": interval,
            "description": "Retries failures of the platform",
            # A message that waited longer than two periods for a worker expires: the next one does its work.
            "expire_seconds": 30,
        },
    )


def remove(apps, schema_editor):
    PeriodicTask = apps.get_model("django_celery_beat", "PeriodicTask")
    if router.allow_migrate_model(schema_editor.connection.alias, PeriodicTask):
        PeriodicTask.objects.filter(name=TASK).delete()


class Migration(migrations.Migration):
    dependencies = [("dlq", "0001_initial"), ("django_celery_beat", "0019_alter_periodictasks_options")]

    operations = [migrations.RunPython(add, remove)]
