from django.db import migrations, router

SCHEDULE = {"every": 15, "period": "seconds"}
NAME = "dlq.tasks.retry_platform_due"


def add(apps, schema_editor):
    PeriodicTask = apps.get_model("django_celery_beat", "PeriodicTask")
    if not router.allow_migrate_model(schema_editor.connection.alias, PeriodicTask):
        return  # a hotel's schema: beat's tables are the platform's
    interval, _made = apps.get_model("django_celery_beat", "IntervalSchedule").objects.get_or_create(
        **SCHEDULE
    )
    PeriodicTask.objects.get_or_create(
        name=NAME,
        defaults={
            "task": "dlq.tasks.retry_platform_due",
            "interval": interval,
            "description": "The due queue is for hotels; the platform's failures are looked up here",
            "expire_seconds": 30,  # one that waited longer is one of many; the next does its work
        },
    )


def remove(apps, schema_editor):
    PeriodicTask = apps.get_model("django_celery_beat", "PeriodicTask")
    if router.allow_migrate_model(schema_editor.connection.alias, PeriodicTask):
        PeriodicTask.objects.filter(name=NAME).delete()


class Migration(migrations.Migration):
    """The due queue is for hotels, so the platform's failures are looked up by a beat of their own."""

    dependencies = [("dlq", "0001_initial"), ("django_celery_beat", "0019_alter_periodictasks_options")]

    operations = [migrations.RunPython(add, remove)]
