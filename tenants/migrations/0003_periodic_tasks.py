"""What beat sends: rows that an operator may look at and pause in the platform's admin."""

from django.db import migrations

EVERY = {
    "tenants.tasks.tick": (5, "seconds", "Hands out what is due: reminders, retries, holds that lapse"),
    "tenants.tasks.provision_pending": (60, "seconds", "Makes the hotels whose task was lost"),
    "tenants.tasks.delete_old_redeliveries": (1, "days", "Drops the delivery counts of tasks that ended"),
}


def add(apps, schema_editor):
    IntervalSchedule = apps.get_model("django_celery_beat", "IntervalSchedule")
    PeriodicTask = apps.get_model("django_celery_beat", "PeriodicTask")
    for task, (every, period, description) in EVERY.items():
        interval, _made = IntervalSchedule.objects.get_or_create(every=every, period=period)
        PeriodicTask.objects.get_or_create(
            name=task,
            defaults={
                "task": task,
                "interval": interval,
                "description": description,
                # A tick that waited for a worker longer than this is one of many; the next does its work.
                "expire_seconds": every * 2 if period == "seconds" else None,
            },
        )


def remove(apps, schema_editor):
    apps.get_model("django_celery_beat", "PeriodicTask").objects.filter(name__in=EVERY).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("tenants", "0002_routing_version"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    ]

    operations = [migrations.RunPython(add, remove, hints={"model_name": "hotel"})]
