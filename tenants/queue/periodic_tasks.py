"""The migration operation that adds periodic tasks to the schedule of Celery beat. Operators can edit the schedule."""

from collections.abc import Mapping
from typing import Any

from django.db import migrations

from tenants.database.placement import Placement


def add_periodic_tasks(tasks: Mapping[str, tuple[int, str, str]]) -> migrations.RunPython:
    """Return an operation that adds periodic tasks. Reversing the operation deletes the tasks.

    `tasks` maps the name of each Celery task to its interval (a number and "seconds" or "days") and its description
    in the admin. A task that exists already keeps the values that operators have given it. The migration
    must depend on django_celery_beat.
    """

    def add(apps: Any, _schema_editor: Any) -> None:
        IntervalSchedule = apps.get_model("django_celery_beat", "IntervalSchedule")
        PeriodicTask = apps.get_model("django_celery_beat", "PeriodicTask")
        for task, (every, period, description) in tasks.items():
            interval, _created = IntervalSchedule.objects.get_or_create(every=every, period=period)
            PeriodicTask.objects.get_or_create(
                name=task,
                defaults={
                    "task": task,
                    "interval": interval,
                    "description": description,
                    # A message that no worker receives within two periods expires: later messages do its work.
                    "expire_seconds": every * 2 if period == "seconds" else None,
                },
            )

    def remove(apps: Any, _schema_editor: Any) -> None:
        apps.get_model("django_celery_beat", "PeriodicTask").objects.filter(name__in=tasks).delete()

    # Hotels have no tables of Celery beat.
    return migrations.RunPython(add, remove, hints={"placement": Placement.PLATFORM})
