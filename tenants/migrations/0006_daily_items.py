"""What beat sends so that each hotel does what it does once a day: forgetting what has ended."""

from django.db import migrations

NAME = "tenants.tasks.schedule_daily"


def add(apps, schema_editor):
    IntervalSchedule = apps.get_model("django_celery_beat", "IntervalSchedule")
    PeriodicTask = apps.get_model("django_celery_beat", "PeriodicTask")
    interval, _made = IntervalSchedule.objects.get_or_create(every=1, period="days")
    PeriodicTask.objects.get_or_create(
        name=NAME,
        defaults={
            "task": NAME,
            "interval": interval,
            "description": "Has every hotel forget the holds and notices that ended long ago",
        },
    )


def remove(apps, schema_editor):
    apps.get_model("django_celery_beat", "PeriodicTask").objects.filter(name=NAME).delete()


class Migration(migrations.Migration):
    dependencies = [("tenants", "0005_hotel_email")]

    operations = [migrations.RunPython(add, remove, hints={"model_name": "hotel"})]
