import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models

import hotelagent.core.ids


class Migration(migrations.Migration):
    dependencies = [
        ("locks", "0002_functions"),
        ("reminders", "0004_handing_over"),
    ]

    operations = [
        migrations.CreateModel(
            name="LinkedCalendar",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=hotelagent.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("name", models.CharField(max_length=60, verbose_name="channel")),
                (
                    "import_closures",
                    models.BooleanField(
                        default=True,
                        help_text="Take the room out of service on nights that the channel marks “Not available”. Booking.com marks its own bookings this way, too.",
                        verbose_name="import closures",
                    ),
                ),
                ("host", models.CharField(editable=False, max_length=253, verbose_name="host")),
                ("encrypted_url", models.BinaryField()),
                ("url_digest", models.BinaryField(max_length=32)),
                ("etag", models.CharField(blank=True, default="", editable=False, max_length=200)),
                ("last_modified", models.CharField(blank=True, default="", editable=False, max_length=60)),
                (
                    "last_attempt_at",
                    models.DateTimeField(editable=False, null=True, verbose_name="last attempt"),
                ),
                (
                    "last_success_at",
                    models.DateTimeField(editable=False, null=True, verbose_name="last import"),
                ),
                (
                    "consecutive_failures",
                    models.PositiveSmallIntegerField(
                        default=0, editable=False, verbose_name="failures in a row"
                    ),
                ),
                ("last_error", models.JSONField(editable=False, null=True, verbose_name="last error")),
                ("last_report", models.JSONField(editable=False, null=True, verbose_name="last result")),
                (
                    "known_numbers",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=64), default=list, editable=False, size=None
                    ),
                ),
                (
                    "missing_numbers",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=64), default=list, editable=False, size=None
                    ),
                ),
                (
                    "room",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="locks.room",
                        verbose_name="room",
                    ),
                ),
            ],
            options={
                "verbose_name": "linked calendar",
                "verbose_name_plural": "linked calendars",
                "constraints": [
                    models.UniqueConstraint(fields=("url_digest",), name="reminders_linkedcalendar_url")
                ],
            },
        ),
    ]
