import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
import django.db.models.functions.datetime
import django.db.models.functions.text
from django.db import migrations, models

import hotelagent.core.ids
import hotelagent.core.time_zones
import tenants.models.access
from tenants.database.storage import store_inline


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Lease",
            fields=[
                ("name", models.CharField(max_length=40, primary_key=True, serialize=False)),
                ("holder", models.CharField(max_length=200)),
                ("expires_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="Redelivery",
            fields=[
                ("task_id", models.UUIDField(primary_key=True, serialize=False)),
                ("deliveries", models.PositiveSmallIntegerField(default=1)),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
        ),
        migrations.CreateModel(
            name="RoutingVersion",
            fields=[
                (
                    "id",
                    models.PositiveSmallIntegerField(
                        default=1, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("version", models.BigIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name="SchemaTemplate",
            fields=[
                (
                    "id",
                    models.PositiveSmallIntegerField(
                        default=1, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("before", models.TextField()),
                ("after", models.TextField()),
                ("rows", models.TextField()),
                ("schema_version", models.CharField(max_length=32)),
                ("fingerprint", models.CharField(blank=True, max_length=64)),
                ("updated_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
        ),
        migrations.CreateModel(
            name="SpareRole",
            fields=[
                (
                    "hotel_id",
                    models.UUIDField(default=hotelagent.core.ids.uuid7, primary_key=True, serialize=False),
                ),
                ("database", models.BigIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name="User",
            fields=[
                ("password", models.CharField(max_length=128, verbose_name="password")),
                ("last_login", models.DateTimeField(blank=True, null=True, verbose_name="last login")),
                (
                    "id",
                    models.UUIDField(
                        default=hotelagent.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "username",
                    tenants.models.access.UsernameField(max_length=150, verbose_name="user name"),
                ),
                ("full_name", models.CharField(blank=True, max_length=150, verbose_name="full name")),
                ("email", models.EmailField(blank=True, max_length=254, verbose_name="e-mail")),
                (
                    "role",
                    models.CharField(
                        choices=[
                            ("manager", "manager"),
                            ("front_desk", "front desk"),
                            ("auditor", "auditor"),
                            ("platform", "platform staff"),
                        ],
                        max_length=20,
                        verbose_name="role",
                    ),
                ),
                (
                    "language",
                    models.CharField(
                        blank=True,
                        choices=[("en", "English"), ("es", "Español")],
                        max_length=2,
                        verbose_name="language",
                    ),
                ),
                ("is_active", models.BooleanField(default=True, verbose_name="active")),
                ("deactivated_at", models.DateTimeField(editable=False, null=True)),
                (
                    "must_change_password",
                    models.BooleanField(db_default=False, default=False, editable=False),
                ),
                ("totp_secret", models.BinaryField(editable=False, null=True)),
                ("totp_last_step", models.BigIntegerField(db_default=0, default=0, editable=False)),
                ("recovery_codes", models.BinaryField(db_default=b"", default=b"", editable=False)),
                ("code_failures", models.PositiveSmallIntegerField(db_default=0, default=0, editable=False)),
                ("code_failed_at", models.DateTimeField(editable=False, null=True)),
                ("second_factor_changed_at", models.DateTimeField(editable=False, null=True)),
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
                "verbose_name": "staff member",
                "verbose_name_plural": "staff",
                "constraints": [
                    models.UniqueConstraint(fields=["username"], name="tenants_user_username_unique"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Session",
            fields=[
                ("id", models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ("user_id", models.UUIDField(null=True)),
                ("data", models.TextField()),
                ("created_at", models.DateTimeField()),
                ("last_used_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField()),
                ("ip", models.GenericIPAddressField(null=True)),
                ("user_agent", models.CharField(max_length=300)),
            ],
            options={
                "verbose_name": "session",
                "verbose_name_plural": "sessions",
            },
        ),
        migrations.CreateModel(
            name="ApiKey",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=hotelagent.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("name", models.CharField(max_length=100, verbose_name="name")),
                ("prefix", models.CharField(editable=False, max_length=12, verbose_name="prefix")),
                ("digest", models.BinaryField(max_length=32, verbose_name="digest")),
                (
                    "scopes",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=40), size=None, verbose_name="scopes"
                    ),
                ),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(),
                        editable=False,
                        verbose_name="created",
                    ),
                ),
                ("expires_at", models.DateTimeField(blank=True, null=True, verbose_name="expires")),
                ("last_used_at", models.DateTimeField(editable=False, null=True, verbose_name="last used")),
                ("revoked_at", models.DateTimeField(editable=False, null=True, verbose_name="revoked")),
            ],
            options={
                "verbose_name": "API key",
                "verbose_name_plural": "API keys",
                "constraints": [
                    models.UniqueConstraint(fields=("prefix",), name="tenants_apikey_prefix_unique")
                ],
            },
        ),
        migrations.CreateModel(
            name="Hotel",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=hotelagent.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "slug",
                    models.CharField(
                        help_text="The first part of the hotel's host name. Use lowercase letters, digits and hyphens. After a change, staff and API clients must use the new host name. Links in e-mails that guests have already received keep working until another hotel uses the old host name.",
                        max_length=40,
                        validators=[
                            django.core.validators.RegexValidator("^[a-z0-9]([a-z0-9-]*[a-z0-9])?\\Z")
                        ],
                        verbose_name="slug",
                    ),
                ),
                ("name", models.CharField(max_length=200, verbose_name="name")),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("provisioning", "provisioning"),
                            ("active", "active"),
                            ("suspended", "suspended"),
                            ("archived", "archived"),
                        ],
                        default="provisioning",
                        max_length=12,
                        verbose_name="status",
                    ),
                ),
                (
                    "schema",
                    models.CharField(editable=False, max_length=63, unique=True, verbose_name="schema"),
                ),
                (
                    "time_zone",
                    models.CharField(
                        default="UTC",
                        max_length=63,
                        validators=[hotelagent.core.time_zones.validate_time_zone],
                        verbose_name="time zone",
                    ),
                ),
                (
                    "language",
                    models.CharField(
                        choices=[("en", "English"), ("es", "Español")],
                        default="en",
                        max_length=2,
                        verbose_name="language",
                    ),
                ),
                (
                    "schema_version",
                    models.CharField(db_default="", default="", editable=False, max_length=32),
                ),
                (
                    "email",
                    models.EmailField(
                        blank=True,
                        db_default="",
                        default="",
                        help_text="Guests' replies to the hotel's e-mails are sent to this address.",
                        max_length=254,
                        verbose_name="e-mail",
                    ),
                ),
                (
                    "require_two_factor",
                    models.BooleanField(
                        db_default=False,
                        default=False,
                        editable=False,
                        verbose_name="require two-factor authentication",
                    ),
                ),
                (
                    "former_hosts",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=253),
                        db_default=[],
                        default=list,
                        editable=False,
                        size=None,
                    ),
                ),
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
                "verbose_name": "hotel",
                "verbose_name_plural": "hotels",
                "ordering": ["slug"],
                "constraints": [
                    models.UniqueConstraint(
                        django.db.models.functions.text.Lower("slug"), name="tenants_hotel_slug_unique"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="IdempotencyKey",
            fields=[
                ("id", models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ("body_digest", models.BinaryField(max_length=32)),
                ("status_code", models.PositiveSmallIntegerField()),
                ("response", models.BinaryField()),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                "indexes": [models.Index(fields=["created_at"], name="tenants_idempotencykey_created")],
            },
        ),
        migrations.CreateModel(
            name="DueItem",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "hotel_id",
                        "kind",
                        "item_id",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("kind", models.CharField(max_length=20)),
                ("item_id", models.UUIDField()),
                ("due_at", models.DateTimeField()),
                ("claim_at", models.DateTimeField()),
                ("claims", models.PositiveSmallIntegerField(default=0)),
                ("initiator", models.CharField(max_length=80, null=True)),
                ("traceparent", models.CharField(max_length=55, null=True)),
                (
                    "hotel",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenants.hotel",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["claim_at"], name="tenants_dueitem_claim_at")],
            },
        ),
        migrations.CreateModel(
            name="Domain",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=hotelagent.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("host", models.CharField(max_length=253, verbose_name="host")),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(),
                        editable=False,
                        verbose_name="created",
                    ),
                ),
                (
                    "hotel",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="domains",
                        to="tenants.hotel",
                        verbose_name="hotel",
                    ),
                ),
            ],
            options={
                "verbose_name": "domain",
                "verbose_name_plural": "domains",
                "ordering": ["host"],
                "constraints": [
                    models.UniqueConstraint(
                        django.db.models.functions.text.Lower("host"), name="tenants_domain_host_unique"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="ContactIdentifier",
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
                        choices=[("phone", "phone number"), ("email", "e-mail address")],
                        max_length=5,
                        verbose_name="kind",
                    ),
                ),
                ("value", models.CharField(max_length=254, verbose_name="value")),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(),
                        editable=False,
                        verbose_name="created",
                    ),
                ),
                (
                    "hotel",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="contacts",
                        to="tenants.hotel",
                        verbose_name="hotel",
                    ),
                ),
            ],
            options={
                "verbose_name": "guest contact",
                "verbose_name_plural": "guest contacts",
                "constraints": [
                    models.UniqueConstraint(fields=("kind", "value"), name="tenants_contact_unique"),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("kind", "phone"), ("value__regex", "^\\+[1-9][0-9]+$")),
                            models.Q(("kind", "email"), ("value__regex", "^[^A-Z\\s]+@[^A-Z\\s]+$")),
                            _connector="OR",
                        ),
                        name="tenants_contact_normalized",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ManagerInvitation",
            fields=[
                (
                    "hotel",
                    models.OneToOneField(
                        editable=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="manager_invitation",
                        serialize=False,
                        to="tenants.hotel",
                    ),
                ),
                ("email", models.EmailField(blank=True, max_length=254, verbose_name="e-mail")),
                ("digest", models.BinaryField(max_length=32, null=True)),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(),
                        editable=False,
                        verbose_name="created",
                    ),
                ),
                ("sent_at", models.DateTimeField(editable=False, null=True, verbose_name="sent")),
                ("expires_at", models.DateTimeField(editable=False, null=True, verbose_name="expires")),
                ("accepted_at", models.DateTimeField(editable=False, null=True, verbose_name="accepted")),
                (
                    "error",
                    models.CharField(blank=True, editable=False, max_length=100, verbose_name="error"),
                ),
            ],
            options={
                "verbose_name": "invitation",
                "verbose_name_plural": "invitations",
            },
        ),
        migrations.CreateModel(
            name="HotelFigures",
            fields=[
                (
                    "hotel",
                    models.OneToOneField(
                        editable=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="figures",
                        serialize=False,
                        to="tenants.hotel",
                    ),
                ),
                ("counted_at", models.DateTimeField()),
                ("mails_sent", models.PositiveIntegerField()),
                ("mails_bounced", models.PositiveIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name="SupportSession",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=hotelagent.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("user_id", models.UUIDField(editable=False, verbose_name="person")),
                ("reason", models.CharField(max_length=500, verbose_name="reason")),
                (
                    "role",
                    models.CharField(
                        choices=[
                            ("manager", "manager"),
                            ("front_desk", "front desk"),
                            ("auditor", "auditor"),
                            ("platform", "platform staff"),
                        ],
                        max_length=20,
                        verbose_name="role",
                    ),
                ),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(),
                        editable=False,
                        verbose_name="created",
                    ),
                ),
                ("digest", models.BinaryField(max_length=32, null=True)),
                ("open_until", models.DateTimeField(editable=False)),
                ("opened_at", models.DateTimeField(editable=False, null=True, verbose_name="opened")),
                ("expires_at", models.DateTimeField(editable=False, verbose_name="end")),
                ("ended_at", models.DateTimeField(editable=False, null=True, verbose_name="ended early")),
                (
                    "hotel",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenants.hotel",
                        verbose_name="hotel",
                    ),
                ),
            ],
            options={
                "verbose_name": "support session",
                "verbose_name_plural": "support sessions",
                "indexes": [models.Index(fields=["user_id"], name="tenants_supportsession_user")],
            },
        ),
        store_inline(
            "tenants_user",
            "password",
            "username",
            "full_name",
            "email",
            "role",
            "language",
            "totp_secret",
            "recovery_codes",
            model_name="user",
        ),
        store_inline(
            "tenants_apikey",
            "name",
            "prefix",
            "digest",
            "scopes",
            model_name="apikey",
        ),
    ]
