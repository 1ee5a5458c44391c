import django.contrib.postgres.constraints
import django.contrib.postgres.fields
import django.contrib.postgres.fields.ranges
import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

import hotelagent.core.ids
from tenants.database.storage import store_inline


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Room",
            fields=[
                ("id", models.AutoField(primary_key=True, serialize=False)),
                ("number", models.CharField(max_length=20, verbose_name="number")),
                ("room_type", models.CharField(max_length=40, verbose_name="type")),
                ("floor", models.SmallIntegerField(blank=True, null=True, verbose_name="floor")),
                (
                    "capacity",
                    models.PositiveSmallIntegerField(
                        default=2,
                        help_text="The number of guests that the room has space for.",
                        verbose_name="capacity",
                    ),
                ),
                ("fencing_token", models.BigIntegerField(default=0, editable=False)),
            ],
            options={
                "verbose_name": "room",
                "verbose_name_plural": "rooms",
                "ordering": ["number"],
                "constraints": [
                    models.UniqueConstraint(fields=("number",), name="locks_room_number_unique"),
                    models.CheckConstraint(
                        condition=models.Q(("capacity__gte", 1)), name="locks_room_capacity_at_least_1"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Allocation",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=hotelagent.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("nights", django.contrib.postgres.fields.ranges.DateRangeField(verbose_name="nights")),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("held", "held"),
                            ("confirmed", "confirmed"),
                            ("closed", "closed"),
                            ("released", "released"),
                            ("expired", "expired"),
                            ("cancelled", "cancelled"),
                        ],
                        max_length=9,
                        verbose_name="status",
                    ),
                ),
                ("group_id", models.UUIDField(editable=False, null=True, verbose_name="group")),
                ("token_digest", models.BinaryField(max_length=32, null=True)),
                (
                    "fencing_token",
                    models.BigIntegerField(editable=False, null=True, verbose_name="fencing token"),
                ),
                ("expires_at", models.DateTimeField(editable=False, null=True, verbose_name="expires")),
                ("max_expires_at", models.DateTimeField(editable=False, null=True)),
                (
                    "extensions_left",
                    models.PositiveSmallIntegerField(
                        default=0, editable=False, verbose_name="extensions left"
                    ),
                ),
                (
                    "holder",
                    models.CharField(blank=True, editable=False, max_length=60, verbose_name="holder"),
                ),
                ("session", models.CharField(blank=True, max_length=64, verbose_name="guest session")),
                ("reference", models.CharField(blank=True, max_length=64, verbose_name="reference")),
                ("reason", models.CharField(blank=True, max_length=200, verbose_name="reason")),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(),
                        editable=False,
                        verbose_name="created",
                    ),
                ),
                (
                    "room",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="allocations",
                        to="locks.room",
                        verbose_name="room",
                    ),
                ),
            ],
            options={
                "verbose_name": "hold or stay",
                "verbose_name_plural": "holds and stays",
                "indexes": [
                    models.Index(
                        condition=models.Q(("status", "held")),
                        fields=["holder", "expires_at"],
                        name="locks_allocation_held",
                    ),
                    models.Index(
                        condition=models.Q(("group_id__isnull", False)),
                        fields=["group_id"],
                        name="locks_allocation_group",
                    ),
                ],
                "constraints": [
                    django.contrib.postgres.constraints.ExclusionConstraint(
                        condition=models.Q(("status__in", ["held", "confirmed", "closed"])),
                        expressions=[
                            ("nights", "&&"),
                            (
                                models.Func(
                                    models.F("room_id"),
                                    models.F("room_id"),
                                    models.Value("[]"),
                                    function="int4range",
                                    output_field=django.contrib.postgres.fields.ranges.IntegerRangeField(),
                                ),
                                "=",
                            ),
                        ],
                        name="locks_allocation_no_overlap",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("nights__isempty", False),
                            ("nights__lower_inf", False),
                            ("nights__upper_inf", False),
                        ),
                        name="locks_allocation_nights_check",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "status__in",
                                ["held", "confirmed", "closed", "released", "expired", "cancelled"],
                            )
                        ),
                        name="locks_allocation_status_check",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("status", "held"), _negated=True),
                            models.Q(
                                ("expires_at__isnull", False),
                                ("fencing_token__isnull", False),
                                ("token_digest__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="locks_allocation_held_check",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Webhook",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=hotelagent.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("url", models.CharField(max_length=500, verbose_name="URL")),
                (
                    "events",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=40), size=None, verbose_name="events"
                    ),
                ),
                ("encrypted_secret", models.BinaryField(editable=False)),
                ("encrypted_previous_secret", models.BinaryField(editable=False, null=True)),
                (
                    "previous_secret_expires_at",
                    models.DateTimeField(
                        editable=False, null=True, verbose_name="previous secret valid until"
                    ),
                ),
                ("active", models.BooleanField(default=True, verbose_name="active")),
                (
                    "failing_since",
                    models.DateTimeField(editable=False, null=True, verbose_name="failing since"),
                ),
                ("backoff_until", models.DateTimeField(editable=False, null=True)),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(),
                        editable=False,
                        verbose_name="created",
                    ),
                ),
            ],
            options={
                "verbose_name": "webhook",
                "verbose_name_plural": "webhooks",
            },
        ),
        migrations.CreateModel(
            name="WebhookDelivery",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=hotelagent.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("event", models.CharField(max_length=40, verbose_name="event")),
                ("data", models.JSONField(verbose_name="data")),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("pending", "pending"),
                            ("paused", "paused"),
                            ("sent", "sent"),
                            ("failed", "failed"),
                        ],
                        default="pending",
                        max_length=7,
                        verbose_name="status",
                    ),
                ),
                ("attempts", models.PositiveSmallIntegerField(default=0, verbose_name="attempts")),
                ("error", models.JSONField(null=True, verbose_name="error")),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(),
                        editable=False,
                        verbose_name="created",
                    ),
                ),
                ("sent_at", models.DateTimeField(editable=False, null=True, verbose_name="sent")),
                (
                    "webhook",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        to="locks.webhook",
                        verbose_name="webhook",
                    ),
                ),
            ],
            options={
                "verbose_name": "webhook delivery",
                "verbose_name_plural": "webhook deliveries",
            },
        ),
        migrations.CreateModel(
            name="WaitingListEntry",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=hotelagent.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("room_type", models.CharField(max_length=40, verbose_name="type")),
                ("guests", models.PositiveSmallIntegerField(default=1, verbose_name="guests")),
                ("nights", django.contrib.postgres.fields.ranges.DateRangeField(verbose_name="nights")),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("waiting", "waiting"),
                            ("offered", "offered"),
                            ("claimed", "claimed"),
                            ("expired", "expired"),
                            ("cancelled", "cancelled"),
                        ],
                        default="waiting",
                        max_length=9,
                        verbose_name="status",
                    ),
                ),
                ("holder", models.CharField(max_length=60, verbose_name="holder")),
                ("session", models.CharField(blank=True, max_length=64, verbose_name="guest session")),
                ("reference", models.CharField(blank=True, max_length=64, verbose_name="reference")),
                ("offer_seconds", models.PositiveIntegerField(verbose_name="offer validity in seconds")),
                ("hold_id", models.UUIDField(editable=False, null=True, verbose_name="offer")),
                (
                    "joined_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), verbose_name="joined"
                    ),
                ),
                ("ended_at", models.DateTimeField(null=True, verbose_name="ended")),
                (
                    "room",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="locks.room",
                        verbose_name="room",
                    ),
                ),
            ],
            options={
                "verbose_name": "waiting list entry",
                "verbose_name_plural": "waiting list entries",
                "indexes": [
                    models.Index(
                        condition=models.Q(("status__in", ["waiting", "offered"])),
                        fields=["joined_at"],
                        name="locks_waiting_open",
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("nights__isempty", False),
                            ("nights__lower_inf", False),
                            ("nights__upper_inf", False),
                        ),
                        name="locks_waiting_nights_check",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("status__in", ["waiting", "offered", "claimed", "expired", "cancelled"])
                        ),
                        name="locks_waiting_status_check",
                    ),
                ],
            },
        ),
        store_inline(
            "locks_webhook",
            "url",
            "events",
            "encrypted_secret",
            "encrypted_previous_secret",
            model_name="webhook",
        ),
        store_inline(
            "locks_webhookdelivery",
            "event",
            "data",
            "status",
            "error",
            model_name="webhookdelivery",
        ),
        store_inline(
            "locks_allocation",
            "nights",
            "status",
            "token_digest",
            "holder",
            "session",
            "reference",
            "reason",
            model_name="allocation",
        ),
        store_inline(
            "locks_waitinglistentry",
            "room_type",
            "nights",
            "status",
            "holder",
            "session",
            "reference",
            model_name="waitinglistentry",
        ),
    ]
