import uuid

import django.contrib.postgres.fields
import django.contrib.postgres.indexes
import django.core.validators
import django.db.models.deletion
import django.db.models.functions.comparison
import django.db.models.functions.datetime
import django.db.models.functions.text
from django.db import migrations, models

import hotelagent.core.ids
import reminders.models.search_terms
from tenants.database.storage import store_inline


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("locks", "0001_initial"),
        ("tenants", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="SetupProgress",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=hotelagent.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "confirmed_steps",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=20),
                        blank=True,
                        default=list,
                        editable=False,
                        size=None,
                    ),
                ),
                (
                    "skipped_steps",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=20),
                        blank=True,
                        default=list,
                        editable=False,
                        size=None,
                    ),
                ),
                ("is_hidden", models.BooleanField(default=False, editable=False)),
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
                "verbose_name": "set-up",
                "verbose_name_plural": "set-up checklist",
                "abstract": False,
                "constraints": [
                    models.UniqueConstraint(
                        fields=("hotel",), name="reminders_setupprogress_hotel", nulls_distinct=False
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="EmailBranding",
            fields=[
                (
                    "id",
                    models.PositiveSmallIntegerField(
                        default=1, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("colour", models.CharField(default="#1f4e5f", max_length=7, verbose_name="colour")),
                ("logo", models.BinaryField(default=b"", verbose_name="logo")),
                ("logo_type", models.CharField(blank=True, default="", editable=False, max_length=10)),
                ("logo_width", models.PositiveSmallIntegerField(default=0, editable=False)),
                ("logo_height", models.PositiveSmallIntegerField(default=0, editable=False)),
                ("logo_digest", models.CharField(blank=True, default="", editable=False, max_length=16)),
                ("revision", models.UUIDField(default=uuid.uuid4, editable=False)),
            ],
            options={
                "verbose_name": "e-mail branding",
                "verbose_name_plural": "e-mail branding",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("id", 1)), name="reminders_emailbranding_is_single_row"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("colour__regex", "^#[0-9a-f]{6}$")),
                        name="reminders_emailbranding_colour",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="FileImport",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=hotelagent.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("reservations", "reservations"),
                            ("rooms", "rooms"),
                            ("calendar", "calendar events"),
                            ("bulk", "reservations from a client"),
                        ],
                        editable=False,
                        max_length=12,
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("uploaded", "uploaded"),
                            ("checking", "being checked"),
                            ("checked", "checked"),
                            ("importing", "being imported"),
                            ("stopped", "stopped"),
                            ("finished", "imported"),
                        ],
                        default="uploaded",
                        editable=False,
                        max_length=12,
                        verbose_name="status",
                    ),
                ),
                ("file_name", models.CharField(editable=False, max_length=200, verbose_name="file")),
                ("file_size", models.PositiveIntegerField(editable=False)),
                ("content", models.BinaryField()),
                ("settings", models.JSONField(default=dict, editable=False)),
                ("inspection", models.JSONField(default=dict, editable=False)),
                ("total_rows", models.PositiveIntegerField(editable=False, null=True, verbose_name="rows")),
                ("finished_rows", models.PositiveIntegerField(default=0, editable=False)),
                ("counts", models.JSONField(default=dict, editable=False)),
                ("problems", models.BinaryField(default=b"")),
                ("error", models.JSONField(editable=False, null=True)),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(),
                        editable=False,
                        verbose_name="uploaded",
                    ),
                ),
                ("started_at", models.DateTimeField(editable=False, null=True, verbose_name="started")),
                ("finished_at", models.DateTimeField(editable=False, null=True, verbose_name="finished")),
                ("staff_kind", models.CharField(default="user", editable=False, max_length=12)),
                ("staff_id", models.CharField(editable=False, max_length=64)),
                ("staff_name", models.CharField(editable=False, max_length=200, verbose_name="by")),
                ("lease_number", models.PositiveIntegerField(default=0, editable=False)),
                ("lease_ends_at", models.DateTimeField(editable=False, null=True)),
            ],
            options={"verbose_name": "import", "verbose_name_plural": "imports"},
        ),
        migrations.CreateModel(
            name="ReservationImport",
            fields=[],
            options={
                "verbose_name": "import of reservations",
                "verbose_name_plural": "imports of reservations",
                "proxy": True,
                "indexes": [],
                "constraints": [],
            },
            bases=("reminders.fileimport",),
        ),
        migrations.CreateModel(
            name="RoomImport",
            fields=[],
            options={
                "verbose_name": "import of rooms",
                "verbose_name_plural": "imports of rooms",
                "proxy": True,
                "indexes": [],
                "constraints": [],
            },
            bases=("reminders.fileimport",),
        ),
        migrations.CreateModel(
            name="Reservation",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=hotelagent.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("external_id", models.CharField(max_length=64, verbose_name="number")),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("booked", "booked"),
                            ("inquiry", "inquiry"),
                            ("checked_in", "in house"),
                            ("cancelled", "cancelled"),
                            ("no_show", "no-show"),
                            ("checked_out", "checked out"),
                        ],
                        default="booked",
                        max_length=12,
                        verbose_name="status",
                    ),
                ),
                ("arrival", models.DateField(verbose_name="arrival")),
                ("departure", models.DateField(verbose_name="departure")),
                ("guest_name", models.CharField(max_length=200, verbose_name="guest")),
                ("guest_email", models.EmailField(blank=True, max_length=254, verbose_name="e-mail")),
                ("guest_phone", models.CharField(blank=True, max_length=20, verbose_name="phone")),
                (
                    "language",
                    models.CharField(
                        blank=True,
                        max_length=10,
                        validators=[
                            django.core.validators.RegexValidator(
                                "\\A[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*\\Z",
                                "Enter a language code such as es, en or pt-br.",
                                code="language",
                            )
                        ],
                        verbose_name="language",
                    ),
                ),
                ("country", models.CharField(blank=True, max_length=3, verbose_name="country")),
                ("adults", models.PositiveSmallIntegerField(default=1, verbose_name="adults")),
                ("children", models.PositiveSmallIntegerField(default=0, verbose_name="children")),
                ("room_type", models.CharField(blank=True, max_length=40, verbose_name="booked room type")),
                (
                    "assigned_room_type",
                    models.CharField(
                        blank=True, editable=False, max_length=40, verbose_name="assigned room type"
                    ),
                ),
                (
                    "additional_room_types",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(blank=True, max_length=40),
                        blank=True,
                        default=list,
                        editable=False,
                        size=None,
                        verbose_name="further rooms",
                    ),
                ),
                ("source", models.CharField(blank=True, max_length=40, verbose_name="source")),
                ("booked_on", models.DateField(blank=True, null=True, verbose_name="booked on")),
                ("status_date", models.DateField(blank=True, null=True, verbose_name="status since")),
                (
                    "checked_in_at",
                    models.DateTimeField(editable=False, null=True, verbose_name="check-in time"),
                ),
                (
                    "checked_out_at",
                    models.DateTimeField(editable=False, null=True, verbose_name="check-out time"),
                ),
                ("calendar_digest", models.BinaryField(max_length=32, null=True)),
                (
                    "calendar_uid",
                    models.CharField(blank=True, db_default="", default="", editable=False, max_length=64),
                ),
                (
                    "updated_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(),
                        editable=False,
                        verbose_name="changed",
                    ),
                ),
                (
                    "changed_in",
                    models.BigIntegerField(
                        db_default=django.db.models.functions.comparison.Cast(
                            django.db.models.functions.comparison.Cast(
                                models.Func(function="pg_current_xact_id"), models.TextField()
                            ),
                            models.BigIntegerField(),
                        ),
                        editable=False,
                    ),
                ),
                (
                    "stay",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="reservation",
                        to="locks.allocation",
                        verbose_name="stay",
                    ),
                ),
            ],
            options={
                "verbose_name": "reservation",
                "verbose_name_plural": "reservations",
            },
        ),
        migrations.CreateModel(
            name="Rule",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=hotelagent.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("name", models.CharField(max_length=80, verbose_name="name")),
                ("is_active", models.BooleanField(default=True, verbose_name="active")),
                (
                    "anchor",
                    models.CharField(
                        choices=[("arrival", "before arrival"), ("departure", "after departure")],
                        default="arrival",
                        max_length=9,
                        verbose_name="timing",
                    ),
                ),
                ("offset_days", models.PositiveSmallIntegerField(default=0, verbose_name="days")),
                (
                    "offset_hours",
                    models.PositiveSmallIntegerField(
                        default=0,
                        help_text="These hours are added to the days. Example: 0 days and 36 hours means 36 hours before or after the local time below.",
                        verbose_name="hours",
                    ),
                ),
                (
                    "send_at",
                    models.TimeField(
                        help_text="The planned time of day of the reminder, in the hotel's time zone.",
                        verbose_name="local time",
                    ),
                ),
                (
                    "window_hours",
                    models.PositiveSmallIntegerField(
                        default=12,
                        help_text="The number of hours after the planned time during which the reminder may still be sent.",
                        verbose_name="send window (hours)",
                    ),
                ),
                (
                    "late_policy",
                    models.CharField(
                        choices=[
                            (
                                "send_now",
                                "send the reminder immediately after a late booking, unless the arrival day has ended",
                            ),
                            ("skip", "skip"),
                        ],
                        default="skip",
                        max_length=8,
                        verbose_name="late booking",
                    ),
                ),
                (
                    "room_types",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=40),
                        blank=True,
                        default=list,
                        size=20,
                        verbose_name="room types",
                    ),
                ),
                (
                    "sources",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=40),
                        blank=True,
                        default=list,
                        size=20,
                        verbose_name="sources",
                    ),
                ),
                (
                    "min_nights",
                    models.PositiveSmallIntegerField(blank=True, null=True, verbose_name="minimum nights"),
                ),
                (
                    "max_nights",
                    models.PositiveSmallIntegerField(blank=True, null=True, verbose_name="maximum nights"),
                ),
                (
                    "guests",
                    models.CharField(
                        choices=[
                            ("any", "all guests"),
                            ("new", "new guests"),
                            ("returning", "returning guests"),
                        ],
                        default="any",
                        max_length=9,
                        verbose_name="guests",
                    ),
                ),
                (
                    "order",
                    models.PositiveSmallIntegerField(
                        default=10,
                        help_text="If a guest gets several reminders on one day, the reminder of the rule with the lowest number in this field is sent first.",
                        verbose_name="order",
                    ),
                ),
                (
                    "daily_limit",
                    models.PositiveSmallIntegerField(
                        blank=True,
                        help_text="The reminder is skipped if the guest would receive more than this many e-mails that day. Leave blank for no limit.",
                        null=True,
                        verbose_name="daily limit per guest",
                    ),
                ),
                ("revision", models.UUIDField(default=uuid.uuid4, editable=False)),
            ],
            options={
                "verbose_name": "rule",
                "verbose_name_plural": "rules",
                "ordering": ["order", "anchor", "-offset_days", "-offset_hours", "id"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("offset_days__lte", 730), ("offset_hours__lte", 17520)),
                        name="reminders_rule_within_two_years",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("window_hours__gte", 1), ("window_hours__lte", 720)),
                        name="reminders_rule_window_within_a_month",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("daily_limit__gte", 1)),
                        name="reminders_rule_daily_limit_of_one_or_more",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Reminder",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=hotelagent.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("arrival", models.DateField(verbose_name="arrival")),
                ("planned_for", models.DateTimeField(verbose_name="planned for")),
                ("send_until", models.DateTimeField(verbose_name="send until")),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("scheduled", "scheduled"),
                            ("sending", "sending"),
                            ("sent", "sent"),
                            ("unknown", "unknown"),
                            ("skipped", "skipped"),
                            ("cancelled", "cancelled"),
                            ("failed", "failed"),
                        ],
                        default="scheduled",
                        max_length=9,
                        verbose_name="status",
                    ),
                ),
                (
                    "skip_reason",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("late_booking", "booked too late for this reminder"),
                            ("window_passed", "send window has ended"),
                            ("no_email", "no e-mail address"),
                            ("suppressed", "address on the suppression list"),
                            ("reservation_changed", "rule no longer applies to the reservation"),
                            ("daily_limit", "daily limit of e-mails reached"),
                            ("manual", "set manually"),
                        ],
                        default="",
                        max_length=20,
                        verbose_name="skip reason",
                    ),
                ),
                ("attempts", models.PositiveSmallIntegerField(default=0, verbose_name="attempts")),
                ("claimed_at", models.DateTimeField(null=True, verbose_name="claimed")),
                (
                    "transmission_started_at",
                    models.DateTimeField(null=True, verbose_name="transmission started"),
                ),
                ("sent_at", models.DateTimeField(null=True, verbose_name="sent")),
                ("opened_at", models.DateTimeField(null=True, verbose_name="opened")),
                (
                    "recipient",
                    models.CharField(blank=True, default="", max_length=254, verbose_name="recipient"),
                ),
                ("last_error", models.JSONField(null=True, verbose_name="last error")),
                (
                    "reservation",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="reminders",
                        to="reminders.reservation",
                        verbose_name="reservation",
                    ),
                ),
                (
                    "rule",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="reminders",
                        to="reminders.rule",
                        verbose_name="rule",
                    ),
                ),
            ],
            options={
                "verbose_name": "reminder",
                "verbose_name_plural": "reminders",
            },
        ),
        migrations.CreateModel(
            name="Suppression",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=hotelagent.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("email", models.EmailField(max_length=254, verbose_name="e-mail")),
                (
                    "reason",
                    models.CharField(
                        choices=[
                            ("bounced", "bounced"),
                            ("complained", "complained"),
                            ("unsubscribed", "unsubscribed"),
                            ("manual", "added manually"),
                        ],
                        max_length=12,
                        verbose_name="reason",
                    ),
                ),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(),
                        editable=False,
                        verbose_name="since",
                    ),
                ),
            ],
            options={
                "verbose_name": "suppressed address",
                "verbose_name_plural": "suppressed addresses",
                "constraints": [
                    models.UniqueConstraint(
                        django.db.models.functions.text.Lower("email"), name="reminders_suppression_email"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Template",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=hotelagent.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("language", models.CharField(max_length=10, verbose_name="language")),
                ("subject", models.CharField(max_length=200, verbose_name="subject")),
                ("html", models.TextField(verbose_name="HTML")),
                ("text", models.TextField(verbose_name="text")),
                ("revision", models.UUIDField(default=uuid.uuid4, editable=False)),
                (
                    "rule",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="templates",
                        to="reminders.rule",
                        verbose_name="rule",
                    ),
                ),
            ],
            options={
                "verbose_name": "template",
                "verbose_name_plural": "templates",
                "ordering": ["rule", "language"],
            },
        ),
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
                        help_text="Close the room on nights that the channel marks “Not available”. Booking.com also marks its own bookings “Not available”.",
                        verbose_name="import closed nights",
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
                        default=0, editable=False, verbose_name="consecutive failures"
                    ),
                ),
                ("last_error", models.JSONField(editable=False, null=True, verbose_name="last error")),
                ("last_report", models.JSONField(editable=False, null=True, verbose_name="last result")),
                (
                    "missing_uids",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=64), default=list, editable=False, size=None
                    ),
                ),
                ("empty_imports", models.PositiveSmallIntegerField(default=0, editable=False)),
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
        migrations.AddIndex(
            model_name="reservation",
            index=models.Index(fields=["arrival"], name="reminders_reservation_arrival"),
        ),
        migrations.AddIndex(
            model_name="reservation",
            index=models.Index(
                django.db.models.functions.text.Lower("guest_email"), name="reminders_reservation_email"
            ),
        ),
        migrations.AddIndex(
            model_name="reservation",
            index=models.Index(fields=["changed_in", "id"], name="reminders_reservation_changed"),
        ),
        migrations.AddIndex(
            model_name="reservation",
            index=django.contrib.postgres.indexes.GinIndex(
                reminders.models.search_terms.SearchTerms(
                    "guest_name", "external_id", "guest_email", "guest_phone"
                ),
                name="reminders_reservation_search",
            ),
        ),
        migrations.AddConstraint(
            model_name="reservation",
            constraint=models.UniqueConstraint(
                fields=("external_id",), name="reminders_reservation_external_id"
            ),
        ),
        migrations.AddConstraint(
            model_name="reservation",
            constraint=models.CheckConstraint(
                condition=models.Q(("departure__gt", models.F("arrival"))),
                name="reminders_reservation_has_a_night",
            ),
        ),
        migrations.AddConstraint(
            model_name="reservation",
            constraint=models.CheckConstraint(
                condition=models.Q(("adults__gte", 1)), name="reminders_reservation_has_an_adult"
            ),
        ),
        migrations.AddIndex(
            model_name="reminder",
            index=models.Index(fields=["planned_for"], name="reminders_reminder_planned"),
        ),
        migrations.AddConstraint(
            model_name="reminder",
            constraint=models.UniqueConstraint(
                fields=("reservation", "rule", "arrival"), name="reminders_reminder_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="template",
            constraint=models.UniqueConstraint(
                fields=("rule", "language"), name="reminders_template_rule_language"
            ),
        ),
        store_inline(
            "reminders_rule",
            "name",
            "anchor",
            "late_policy",
            "room_types",
            "sources",
            "guests",
            model_name="rule",
        ),
        store_inline(
            "reminders_reminder",
            "status",
            "skip_reason",
            "recipient",
            "last_error",
            model_name="reminder",
        ),
    ]
