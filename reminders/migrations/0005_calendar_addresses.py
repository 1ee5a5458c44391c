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
            name="CalendarAddress",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=hotelagent.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("name", models.CharField(max_length=60, verbose_name="channel")),
                (
                    "closes_room",
                    models.BooleanField(
                        default=True,
                        help_text="What the channel calls “Not available” is out of service here. Booking.com calls its bookings so, too.",
                        verbose_name="closed nights close the room",
                    ),
                ),
                ("host", models.CharField(editable=False, max_length=253, verbose_name="host")),
                ("sealed_url", models.BinaryField()),
                ("url_digest", models.BinaryField(max_length=32)),
                ("etag", models.CharField(blank=True, default="", editable=False, max_length=200)),
                ("modified", models.CharField(blank=True, default="", editable=False, max_length=60)),
                ("polled_at", models.DateTimeField(editable=False, null=True, verbose_name="asked")),
                ("read_at", models.DateTimeField(editable=False, null=True, verbose_name="read")),
                (
                    "failures",
                    models.PositiveSmallIntegerField(default=0, editable=False, verbose_name="failures"),
                ),
                ("error", models.JSONField(editable=False, null=True, verbose_name="last error")),
                ("report", models.JSONField(editable=False, null=True, verbose_name="last result")),
                (
                    "held",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=64), default=list, editable=False, size=None
                    ),
                ),
                (
                    "gone",
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
                "verbose_name": "calendar address",
                "verbose_name_plural": "calendar addresses",
                "constraints": [
                    models.UniqueConstraint(fields=("url_digest",), name="reminders_calendaraddress_once")
                ],
            },
        ),
    ]
