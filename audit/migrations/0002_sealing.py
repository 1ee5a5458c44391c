"""The shared tables of the transparency logs, and the periodic tasks that seal, verify and shorten them."""

import uuid

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

import hotelagent.core.ids
from tenants.queue.periodic_tasks import add_periodic_tasks

#: task: (every, period, description in the admin).
PERIODIC_TASKS = {
    "audit.tasks.seal_all": (60, "seconds", "Seals the events of the audit trails"),
    "audit.tasks.publish_all": (60, "seconds", "Publishes the checkpoints of the audit trails"),
    "audit.tasks.email_checkpoints": (60, "seconds", "Sends the checkpoints of the audit trails to auditors"),
    "audit.tasks.verify_platform": (1, "days", "Verifies the audit trail of the platform"),
    "audit.tasks.delete_expired_events": (
        1,
        "days",
        "Deletes events of the audit trails after the retention period",
    ),
}


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("audit", "0001_initial"),
        ("tenants", "0002_triggers_and_data"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    ]

    operations = [
        migrations.CreateModel(
            name="Log",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=hotelagent.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("hotel_id", models.UUIDField(editable=False, null=True)),
                (
                    "origin",
                    models.CharField(editable=False, max_length=300, unique=True, verbose_name="name"),
                ),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(),
                        editable=False,
                        verbose_name="created",
                    ),
                ),
                ("closed_at", models.DateTimeField(editable=False, null=True, verbose_name="closed")),
                ("predecessor_size", models.BigIntegerField(editable=False, null=True)),
                ("predecessor_root", models.BinaryField(null=True)),
                ("size", models.BigIntegerField(default=0, editable=False, verbose_name="sealed events")),
                ("sealed_transaction", models.BigIntegerField(default=0, editable=False)),
                (
                    "sealed_id",
                    models.UUIDField(
                        default=uuid.UUID("00000000-0000-0000-0000-000000000000"), editable=False
                    ),
                ),
                (
                    "unsealed",
                    models.BigIntegerField(default=0, editable=False, verbose_name="unsealed events"),
                ),
                (
                    "unsealed_since",
                    models.DateTimeField(editable=False, null=True, verbose_name="unsealed since"),
                ),
                ("checked_at", models.DateTimeField(editable=False, null=True)),
                (
                    "refusal",
                    models.TextField(
                        blank=True, editable=False, verbose_name="reason why the log is not sealed"
                    ),
                ),
                (
                    "first_kept",
                    models.BigIntegerField(default=0, editable=False, verbose_name="deleted by retention"),
                ),
                ("deleted_transaction", models.BigIntegerField(default=0, editable=False)),
                (
                    "deleted_id",
                    models.UUIDField(
                        default=uuid.UUID("00000000-0000-0000-0000-000000000000"), editable=False
                    ),
                ),
                (
                    "keep_days",
                    models.PositiveSmallIntegerField(
                        blank=True,
                        help_text="Older events are deleted. 0 keeps the events for ever. Leave blank for the platform's retention period.",
                        null=True,
                        verbose_name="keep events (days)",
                    ),
                ),
                (
                    "legal_hold",
                    models.BooleanField(
                        default=False,
                        help_text="Under legal hold, no event of the trail is deleted, and the hotel cannot be deleted.",
                        verbose_name="legal hold",
                    ),
                ),
                (
                    "retention_problem",
                    models.TextField(
                        blank=True, editable=False, verbose_name="reason why events are not deleted"
                    ),
                ),
                ("published", models.JSONField(default=dict, editable=False)),
                ("emailed_on", models.DateField(editable=False, null=True)),
                ("verified_at", models.DateTimeField(editable=False, null=True, verbose_name="verified")),
                (
                    "verification",
                    models.CharField(blank=True, editable=False, max_length=12, verbose_name="verification"),
                ),
                (
                    "verification_detail",
                    models.TextField(blank=True, editable=False, verbose_name="result of the verification"),
                ),
                (
                    "predecessor",
                    models.ForeignKey(
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="audit.log",
                    ),
                ),
            ],
            options={
                "verbose_name": "transparency log",
                "verbose_name_plural": "transparency logs",
                "db_table": "audit_log",
                "ordering": ["origin"],
            },
        ),
        migrations.CreateModel(
            name="LogKey",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "log_id", "key", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("key", models.CharField(max_length=400)),
                ("first_size", models.BigIntegerField()),
                ("last_size", models.BigIntegerField(null=True)),
                (
                    "log",
                    models.ForeignKey(
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="keys",
                        to="audit.log",
                    ),
                ),
            ],
            options={
                "db_table": "audit_public_key",
            },
        ),
        migrations.CreateModel(
            name="StoredCheckpoint",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "log_id", "size", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("size", models.BigIntegerField()),
                ("previous_size", models.BigIntegerField()),
                ("root", models.BinaryField()),
                ("note", models.TextField()),
                ("at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "log",
                    models.ForeignKey(
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="checkpoints",
                        to="audit.log",
                    ),
                ),
            ],
            options={
                "db_table": "audit_checkpoint",
            },
        ),
        migrations.CreateModel(
            name="StoredTile",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "log_id",
                        "level",
                        "number",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("level", models.SmallIntegerField()),
                ("number", models.BigIntegerField()),
                ("hashes", models.BinaryField()),
                ("ids", models.BinaryField(null=True)),
                ("last_transaction", models.BigIntegerField(null=True)),
                (
                    "log",
                    models.ForeignKey(
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="tiles",
                        to="audit.log",
                    ),
                ),
            ],
            options={
                "db_table": "audit_tile",
            },
        ),
        migrations.AddConstraint(
            model_name="log",
            constraint=models.UniqueConstraint(
                condition=models.Q(("closed_at", None)),
                fields=("hotel_id",),
                name="audit_log_open",
                nulls_distinct=False,
            ),
        ),
        migrations.AddConstraint(
            model_name="log",
            constraint=models.CheckConstraint(
                condition=models.Q(("keep_days", 0), ("keep_days__gte", 180), _connector="OR"),
                name="audit_log_keep_days",
            ),
        ),
        migrations.AddIndex(
            model_name="storedtile",
            index=models.Index(
                condition=models.Q(("level", 0)),
                fields=["log", "last_transaction", "number"],
                name="audit_tile_transaction",
            ),
        ),
        migrations.CreateModel(
            name="Auditor",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=hotelagent.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "email",
                    models.EmailField(
                        blank=True,
                        help_text="The newest checkpoint of the audit trail is sent to this address at most once a day, if it is new. Leave blank to send no e-mail.",
                        max_length=254,
                        verbose_name="auditor's e-mail address",
                    ),
                ),
                (
                    "language",
                    models.CharField(
                        choices=[("en", "English"), ("es", "Español")],
                        default="en",
                        max_length=2,
                        verbose_name="language of the e-mail",
                    ),
                ),
                (
                    "hotel",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenants.hotel",
                    ),
                ),
            ],
            options={
                "verbose_name": "publication of the audit trail",
                "verbose_name_plural": "publication",
                "abstract": False,
                "constraints": [
                    models.UniqueConstraint(
                        fields=("hotel",), name="audit_auditor_hotel", nulls_distinct=False
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="SavedSearch",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=hotelagent.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("user_id", models.UUIDField(editable=False)),
                ("name", models.CharField(max_length=80, verbose_name="name")),
                ("query", models.CharField(max_length=2000)),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False
                    ),
                ),
                (
                    "hotel",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenants.hotel",
                    ),
                ),
            ],
            options={
                "db_table": "audit_savedsearch",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("hotel", "user_id", "name"),
                        name="audit_savedsearch_name",
                        nulls_distinct=False,
                    )
                ],
            },
        ),
        add_periodic_tasks(PERIODIC_TASKS),
    ]
