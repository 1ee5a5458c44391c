"""The state of stored backups, and the periodic tasks that make backups and restore drills."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

from tenants.queue.periodic_tasks import add_periodic_tasks

# task: (every, period, description in the admin). The tasks do nothing if BACKUP_URL is not set.
PERIODIC_TASKS = {
    "tenants.tasks.make_due_backups": (60, "seconds", "Backs up hotels during their night, two at a time"),
    "tenants.tasks.run_due_drills": (
        600,
        "seconds",
        "Restores the newest backups beside the originals, and compares them",
    ),
}


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("tenants", "0002_triggers_and_data"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    ]

    operations = [
        migrations.CreateModel(
            name="BackupState",
            fields=[
                ("target", models.CharField(max_length=40, primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("next_at", models.DateTimeField(null=True)),
                ("name", models.CharField(db_default="", default="", max_length=400)),
                ("succeeded_at", models.DateTimeField(null=True)),
                ("size", models.BigIntegerField(db_default=0, default=0)),
                ("error", models.CharField(db_default="", default="", max_length=1000)),
                ("drilled_name", models.CharField(db_default="", default="", max_length=400)),
                ("drilled_at", models.DateTimeField(null=True)),
                ("next_drill_at", models.DateTimeField(null=True)),
                ("drill_error", models.CharField(db_default="", default="", max_length=1000)),
                (
                    "hotel",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="backup_state",
                        to="tenants.hotel",
                    ),
                ),
            ],
            options={"indexes": [models.Index(fields=["next_at"], name="tenants_backupstate_next_at")]},
        ),
        add_periodic_tasks(PERIODIC_TASKS),
    ]
