"""Reminders and the suppression list."""

from django.db import models
from django.db.models.functions import Lower, Now
from django.utils.translation import gettext_lazy as _

from hotelagent.core.ids import uuid7
from hotelagent.core.messages import message_from_json
from reminders.models.reservations import Reservation
from reminders.models.rules import Rule
from tenants.changed_rows import changed_in_column


class ReminderStatus(models.TextChoices):
    """The status of a reminder. `reminders.sending.states` defines the transitions between statuses.

    `UNKNOWN` means that the mail server may have accepted the message but did not confirm it.
    """

    SCHEDULED = "scheduled", _("scheduled")
    SENDING = "sending", _("sending")
    SENT = "sent", _("sent")
    UNKNOWN = "unknown", _("unknown")
    SKIPPED = "skipped", _("skipped")
    CANCELLED = "cancelled", _("cancelled")
    FAILED = "failed", _("failed")


class SkipReason(models.TextChoices):
    """The reason why a reminder was not sent."""

    LATE_BOOKING = "late_booking", _("booked too late for this reminder")
    WINDOW_PASSED = "window_passed", _("send window has ended")
    NO_EMAIL = "no_email", _("no e-mail address")
    SUPPRESSED = "suppressed", _("address on the suppression list")
    RESERVATION_CHANGED = "reservation_changed", _("rule no longer applies to the reservation")
    DAILY_LIMIT = "daily_limit", _("daily limit of e-mails reached")
    MANUAL = "manual", _("set manually")


class Reminder(models.Model):
    """One e-mail for one reservation and rule.

    A unique constraint allows one reminder per reservation, rule and arrival date. A worker claims a reminder before it
    sends the reminder. `attempts` grows with each claim, so a worker that has lost its claim can't change the row.
    `transmission_started_at` is committed before the first byte of the message is sent.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    reservation = models.ForeignKey(
        Reservation, models.CASCADE, db_index=False, related_name="reminders", verbose_name=_("reservation")
    )
    rule = models.ForeignKey(
        Rule, models.PROTECT, db_index=False, related_name="reminders", verbose_name=_("rule")
    )
    arrival = models.DateField(_("arrival"))
    planned_for = models.DateTimeField(_("planned for"))
    send_until = models.DateTimeField(_("send until"))
    status = models.CharField(
        _("status"), max_length=9, choices=ReminderStatus, default=ReminderStatus.SCHEDULED
    )
    skip_reason = models.CharField(
        _("skip reason"), max_length=20, choices=SkipReason, blank=True, default=""
    )
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    claimed_at = models.DateTimeField(_("claimed"), null=True)
    transmission_started_at = models.DateTimeField(_("transmission started"), null=True)
    sent_at = models.DateTimeField(_("sent"), null=True)
    #: The time at which the recipient first opened the message, if the mail provider reports it.
    opened_at = models.DateTimeField(_("opened"), null=True)
    recipient = models.CharField(_("recipient"), max_length=254, blank=True, default="")
    #: The error message of the last attempt as JSON (`hotelagent.core.messages`), or null.
    last_error = models.JSONField(_("last error"), null=True)
    updated_at = models.DateTimeField(_("changed"), db_default=Now(), editable=False)
    changed_in = changed_in_column()

    class Meta:
        verbose_name = _("reminder")
        verbose_name_plural = _("reminders")
        constraints = [
            models.UniqueConstraint(
                fields=["reservation", "rule", "arrival"], name="reminders_reminder_once"
            ),
        ]
        indexes = [models.Index(fields=["planned_for"], name="reminders_reminder_planned")]

    def __str__(self) -> str:
        return f"{self.reservation.external_id}: {self.rule}"

    @property
    def error_message(self) -> str:
        """Return the last error in the active language. Replies of mail servers are not translated."""
        return message_from_json(self.last_error)


class SuppressionReason(models.TextChoices):
    """The reason why an e-mail address is on the suppression list."""

    BOUNCED = "bounced", _("bounced")
    COMPLAINED = "complained", _("complained")
    UNSUBSCRIBED = "unsubscribed", _("unsubscribed")
    MANUAL = "manual", _("added manually")


class Suppression(models.Model):
    """An e-mail address to which the hotel sends no reminders."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    email = models.EmailField(_("e-mail"))
    reason = models.CharField(_("reason"), max_length=12, choices=SuppressionReason)
    created_at = models.DateTimeField(_("since"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("suppressed address")
        verbose_name_plural = _("suppressed addresses")
        constraints = [models.UniqueConstraint(Lower("email"), name="reminders_suppression_email")]

    def __str__(self) -> str:
        return self.email
