"""The daily usage of each hotel, and the periodic task that schedules its count."""

import django.db.models.deletion
from django.db import migrations, models

import hotelagent.core.ids
from tenants.queue.periodic_tasks import add_periodic_tasks

PERIODIC_TASKS = {
    "hotelagent.usage.tasks.schedule_counts": (1800, "seconds", "Counts the daily usage of each hotel"),
}


class Migration(migrations.Migration):
    dependencies = [
        ("tenants", "0003_backup_state"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    ]

    operations = [
        migrations.CreateModel(
            name="HotelUsage",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=hotelagent.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("day", models.DateField(verbose_name="day")),
                ("counted_at", models.DateTimeField(verbose_name="counted")),
                ("reservations", models.PositiveIntegerField(verbose_name="new reservations")),
                ("stays", models.PositiveIntegerField(verbose_name="occupied rooms")),
                ("holds", models.PositiveIntegerField(verbose_name="holds")),
                ("reminders_sent", models.PositiveIntegerField(verbose_name="reminders sent")),
                ("reminders_failed", models.PositiveIntegerField(verbose_name="reminders failed")),
                ("api_calls", models.PositiveBigIntegerField(null=True, verbose_name="API calls")),
                ("failures_open", models.PositiveIntegerField(null=True, verbose_name="open failures")),
                ("storage_bytes", models.PositiveBigIntegerField(null=True, verbose_name="storage in bytes")),
                ("staff", models.PositiveIntegerField(null=True, verbose_name="active staff accounts")),
                (
                    "hotel",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="usage",
                        to="tenants.hotel",
                        verbose_name="hotel",
                    ),
                ),
            ],
            options={
                "verbose_name": "daily usage",
                "verbose_name_plural": "daily usage",
                "indexes": [models.Index(fields=["day"], name="tenants_hotelusage_day")],
                "constraints": [
                    models.UniqueConstraint(fields=("hotel", "day"), name="tenants_hotelusage_once")
                ],
            },
        ),
        add_periodic_tasks(PERIODIC_TASKS),
    ]
