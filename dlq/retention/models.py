"""The settings of each tenant for its failures, and the progress of the clean-up."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from tenants.models.tenant_rows import TenantRow, TenantRowManager

#: The minimum and maximum numbers of days that `FailureSettings` accepts.
MIN_PAYLOAD_DAYS, MAX_PAYLOAD_DAYS = 1, 365
MIN_FAILURE_DAYS, MAX_FAILURE_DAYS = 7, 3650


class FailureSettings(TenantRow):
    """The settings of a tenant for failures: how long failures are kept, when alerts are sent, and which retries are
    paused.

    If `is_paused` is true, all retries are paused. `paused_kinds` lists the names of failures whose retries are paused.
    """

    keep_payload_days = models.PositiveSmallIntegerField(
        _("keep payloads (days)"),
        default=30,
        validators=[MinValueValidator(MIN_PAYLOAD_DAYS), MaxValueValidator(MAX_PAYLOAD_DAYS)],
        help_text=_(
            "The payload and the messages of a failure are deleted this many days after the failure was resolved or "
            "discarded."
        ),
    )
    keep_failure_days = models.PositiveSmallIntegerField(
        _("keep failures (days)"),
        default=180,
        validators=[MinValueValidator(MIN_FAILURE_DAYS), MaxValueValidator(MAX_FAILURE_DAYS)],
        help_text=_("A failure is deleted this many days after it was resolved or discarded."),
    )
    alerts_enabled = models.BooleanField(
        _("send alerts by e-mail"),
        default=True,
        help_text=_(
            "One e-mail lists all problems. In the hour after an e-mail, another e-mail is sent only if a new error "
            "occurs. Muted groups cause no e-mail."
        ),
    )
    alert_recipients = ArrayField(
        models.EmailField(),
        verbose_name=_("recipients"),
        default=list,
        blank=True,
        size=10,
        help_text=_(
            "E-mail addresses, separated by commas. Leave blank to send alerts to all managers with an e-mail "
            "address. If no manager has an e-mail address, alerts are sent to the hotel's address."
        ),
    )
    alert_open = models.PositiveIntegerField(
        _("open failures"),
        default=100,
        validators=[MinValueValidator(1), MaxValueValidator(1_000_000)],
        help_text=_("Send an alert if at least this many failures are open."),
    )
    alert_age_hours = models.PositiveSmallIntegerField(
        _("age (hours)"),
        default=24,
        validators=[MinValueValidator(1), MaxValueValidator(8_760)],
        help_text=_("Send an alert if a failure has been open for this many hours."),
    )
    alert_per_hour = models.PositiveIntegerField(
        _("failures per hour"),
        default=50,
        validators=[MinValueValidator(1), MaxValueValidator(1_000_000)],
        help_text=_("Send an alert if at least this many tasks and messages failed within an hour."),
    )
    alert_new = models.BooleanField(
        _("new errors"), default=True, help_text=_("Send an alert if an error occurs for the first time.")
    )
    alert_repeated = models.BooleanField(
        _("errors that occur again"),
        default=True,
        help_text=_("Send an alert if an error that was resolved or acknowledged occurs again."),
    )
    is_paused = models.BooleanField(_("all retries are paused"), default=False, editable=False)
    paused_kinds = ArrayField(
        models.CharField(max_length=150), verbose_name=_("paused kinds"), default=list, editable=False
    )

    objects = TenantRowManager()

    class Meta(TenantRow.Meta):
        verbose_name = _("settings for failures")
        verbose_name_plural = _("settings for failures")
        constraints = [
            *TenantRow.Meta.constraints,
            models.CheckConstraint(
                condition=models.Q(keep_failure_days__gte=models.F("keep_payload_days")),
                name="dlq_failuresettings_days",
                violation_error_message=_("Failures must be kept at least as long as their payloads."),
            ),
        ]

    def __str__(self) -> str:
        return capfirst(str(self._meta.verbose_name))


class CleanUpProgress(TenantRow):
    """The progress of the daily clean-up of the tenant's failures.

    The clean-up does not read failures whose id is less than `cleaned_before` again, because their personal data are
    deleted. `remaining` lists the exceptions: failures that were still open or had been closed too recently.
    """

    cleaned_before = models.UUIDField(null=True)
    remaining = ArrayField(models.UUIDField(), default=list)

    objects = TenantRowManager()
