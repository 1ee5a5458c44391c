"""Each mail, what became of it, and the addresses that get none."""

from django.db import models
from django.db.models.functions import Lower, Now
from django.utils.translation import gettext_lazy as _

from hotelagent.core.ids import uuid7
from hotelagent.core.messages import message_from_json
from reminders.models.reservations import Reservation
from reminders.models.rules import Rule


class ReminderStatus(models.TextChoices):
    """`UNKNOWN`: the mail server may have taken it and hung up before it said so. Never sent again blindly."""

    SCHEDULED = "scheduled", _("scheduled")
    SENDING = "sending", _("sending")
    SENT = "sent", _("sent")
    UNKNOWN = "unknown", _("unknown")
    SKIPPED = "skipped", _("skipped")
    CANCELLED = "cancelled", _("cancelled")
    FAILED = "failed", _("failed")


class SkipReason(models.TextChoices):
    LATE_BOOKING = "late_booking", _("booked too late for it")
    WINDOW_PASSED = "window_passed", _("its window passed before it could go")
    NO_EMAIL = "no_email", _("the guest has no e-mail address")
    SUPPRESSED = "suppressed", _("the address is on the suppression list")
    RESERVATION_CHANGED = "reservation_changed", _("the reservation no longer calls for it")
    GUEST_CAP = "guest_cap", _("the guest has enough mails that day")
    MANUAL = "manual", _("set manually")


class Reminder(models.Model):
    """One mail of one rule about one arrival: the unique key is what keeps it from going twice.

    A claim is (id, attempts): `attempts` grows with each claim, so a worker that lost its claim finds no row
    to write to. `transmission_started_at` is set, and committed, before the mail's first byte goes out: a claim that
    died without it was certainly not sent, one that died with it is unknown.
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
    #: It must not go after this moment.
    send_until = models.DateTimeField(_("not after"))
    status = models.CharField(
        _("status"), max_length=9, choices=ReminderStatus, default=ReminderStatus.SCHEDULED
    )
    skip_reason = models.CharField(
        _("skipped because"), max_length=20, choices=SkipReason, blank=True, default=""
    )
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    claimed_at = models.DateTimeField(_("claimed"), null=True)
    transmission_started_at = models.DateTimeField(_("transmission started"), null=True)
    sent_at = models.DateTimeField(_("sent"), null=True)
    #: For the first time, as a provider told that counts this.
    opened_at = models.DateTimeField(_("opened"), null=True)
    recipient = models.CharField(_("sent to"), max_length=254, blank=True, default="")
    #: As `hotelagent.core.messages` keeps it.
    last_error = models.JSONField(_("last error"), null=True)

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
        """The last error in the reader's language. Replies of mail servers are not translated."""
        return message_from_json(self.last_error)


class SuppressionReason(models.TextChoices):
    BOUNCED = "bounced", _("bounced")
    COMPLAINED = "complained", _("complained")
    UNSUBSCRIBED = "unsubscribed", _("unsubscribed")
    MANUAL = "manual", _("added manually")


class Suppression(models.Model):
    """An address that the hotel's reminders no longer go to."""

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
