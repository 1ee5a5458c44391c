"""What is stored about a hotel's reservations and the reminders of them."""

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower, Now
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from hotelagent.ids import uuid7
from locks.models import Stay
from reminders.choices import Anchor, Guests, LatePolicy
from reminders.feeds.models import CalendarAddress  # noqa: F401 - Django looks for models here
from reminders.validation import flaw_of_days, is_language


class ReservationStatus(models.TextChoices):
    BOOKED = "booked", _("booked")
    CANCELLED = "cancelled", _("cancelled")
    NO_SHOW = "no_show", _("no-show")
    CHECKED_OUT = "checked_out", _("checked out")


class Reservation(models.Model):
    """A booking, as the hotel's own system (PMS) knows it: `external_id` is that system's number for it."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    external_id = models.CharField(_("number"), max_length=64)
    status = models.CharField(
        _("status"), max_length=12, choices=ReservationStatus, default=ReservationStatus.BOOKED
    )
    arrival = models.DateField(_("arrival"))
    departure = models.DateField(_("departure"))
    guest_name = models.CharField(_("guest"), max_length=200)
    guest_email = models.EmailField(_("e-mail"), blank=True)
    guest_phone = models.CharField(_("phone"), max_length=20, blank=True)
    #: BCP 47, lower case: "es", "pt", "pt-br". Empty: the hotel's.
    language = models.CharField(_("language"), max_length=10, blank=True, validators=[is_language])
    #: ISO 3166 alpha-3. Empty: unknown.
    country = models.CharField(_("country"), max_length=3, blank=True)
    adults = models.PositiveSmallIntegerField(_("adults"), default=1)
    children = models.PositiveSmallIntegerField(_("children"), default=0)
    room_type = models.CharField(_("room type booked"), max_length=40, blank=True)
    #: As the hotel's system says; the stay's own room is what counts here. Empty: unknown.
    assigned_room_type = models.CharField(_("room type assigned"), max_length=40, blank=True, editable=False)
    source = models.CharField(_("source"), max_length=40, blank=True)
    booked_on = models.DateField(_("booked on"), null=True, blank=True)
    #: The day from which the status holds; for a cancelled one, the day of cancelling.
    status_date = models.DateField(_("status since"), null=True, blank=True)
    stay = models.OneToOneField(
        Stay, models.SET_NULL, null=True, blank=True, related_name="reservation", verbose_name=_("stay")
    )
    updated_at = models.DateTimeField(_("changed"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("reservation")
        verbose_name_plural = _("reservations")
        # Not unique=True on the column: that makes a second index, for LIKE, in each hotel.
        constraints = [
            models.UniqueConstraint(fields=["external_id"], name="reminders_reservation_external_id"),
            models.CheckConstraint(
                condition=Q(departure__gt=F("arrival")), name="reminders_reservation_has_a_night"
            ),
            models.CheckConstraint(condition=Q(adults__gte=1), name="reminders_reservation_has_an_adult"),
        ]
        indexes = [
            models.Index(fields=["arrival"], name="reminders_reservation_arrival"),
            # A guest is an address: what else they booked, how many mails they had today, what to erase.
            models.Index(Lower("guest_email"), name="reminders_reservation_email"),
        ]

    def __str__(self) -> str:
        return f"{self.external_id} {self.guest_name}"

    def clean(self) -> None:
        if flaw := flaw_of_days(self.arrival, self.departure):
            raise ValidationError(dict([flaw]))

    @property
    def nights(self) -> int:
        return (self.departure - self.arrival).days

    @property
    def version(self) -> str:
        """Another after each change; what a client compares that changes it."""
        return f"{self.updated_at:%Y%m%dT%H%M%S.%f}"


#: The rules that a hotel begins with are rows, and rows speak no language: these are shown in the reader's.
FIRST_RULES = {
    "7 days before arrival": _("7 days before arrival"),
    "1 day before arrival": _("1 day before arrival"),
}


class Rule(models.Model):
    """When guests are written to. How its moment is computed: `reminders.schedule`."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(_("name"), max_length=80)
    is_active = models.BooleanField(_("active"), default=True)
    anchor = models.CharField(_("counts"), max_length=9, choices=Anchor, default=Anchor.ARRIVAL)
    offset_days = models.PositiveSmallIntegerField(_("days"), default=0)
    offset_hours = models.PositiveSmallIntegerField(
        _("hours"),
        default=0,
        help_text=_("Added to the days. 0 days and 36 hours: 36 hours from the time below."),
    )
    send_at = models.TimeField(_("local time"), help_text=_("By the hotel's clock."))
    window_hours = models.PositiveSmallIntegerField(
        _("window, hours"), default=12, help_text=_("How long after its moment it may still go.")
    )
    late_policy = models.CharField(
        _("late booking"), max_length=8, choices=LatePolicy, default=LatePolicy.SKIP
    )
    room_types = ArrayField(
        models.CharField(max_length=40), verbose_name=_("only room types"), default=list, blank=True
    )
    sources = ArrayField(
        models.CharField(max_length=40), verbose_name=_("only sources"), default=list, blank=True
    )
    min_nights = models.PositiveSmallIntegerField(_("at least nights"), null=True, blank=True)
    max_nights = models.PositiveSmallIntegerField(_("at most nights"), null=True, blank=True)
    guests = models.CharField(_("guests"), max_length=9, choices=Guests, default=Guests.ANY)
    order = models.PositiveSmallIntegerField(
        _("order"), default=10, help_text=_("Of two rules for one day, the lower number comes first.")
    )
    guest_cap = models.PositiveSmallIntegerField(
        _("mails a day"),
        null=True,
        blank=True,
        help_text=_("Not sent to who would get more mails of the hotel that day. Empty: always sent."),
    )

    class Meta:
        verbose_name = _("rule")
        verbose_name_plural = _("rules")
        ordering = ["order", "anchor", "-offset_days", "-offset_hours", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(offset_days__lte=730, offset_hours__lte=17_520),
                name="reminders_rule_within_two_years",
            ),
            models.CheckConstraint(
                condition=Q(window_hours__gte=1, window_hours__lte=720),
                name="reminders_rule_window_within_a_month",
            ),
            models.CheckConstraint(condition=Q(guest_cap__gte=1), name="reminders_rule_cap_of_one_or_more"),
        ]

    def __str__(self) -> str:
        return str(FIRST_RULES.get(self.name, self.name))


class Template(models.Model):
    """What a rule's mail says in one language. The layout around it is the same for all."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    rule = models.ForeignKey(
        Rule, models.CASCADE, db_index=False, related_name="templates", verbose_name=_("rule")
    )
    language = models.CharField(_("language"), max_length=10)
    subject = models.CharField(_("subject"), max_length=200)
    html = models.TextField(_("HTML"))
    text = models.TextField(_("text"))

    class Meta:
        verbose_name = _("template")
        verbose_name_plural = _("templates")
        ordering = ["rule", "language"]
        constraints = [
            models.UniqueConstraint(fields=["rule", "language"], name="reminders_template_rule_language")
        ]

    def __str__(self) -> str:
        return f"{self.rule} ({self.language})"


class ReminderStatus(models.TextChoices):
    """`unknown`:

    the mail server may have taken it and hung up before it said so. Never sent again blindly.
    """

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
    BY_HAND = "by_hand", _("somebody decided so")


class Reminder(models.Model):
    """One mail of one rule about one arrival: the unique key is what keeps it from going twice.

    A claim is (id, attempts): `attempts` grows with each claim, so a worker that lost its claim finds no row
    to write to. `handed_over_at` is set, and committed, before the mail's first byte goes out: a claim that
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
    handed_over_at = models.DateTimeField(_("handed to the mail server"), null=True)
    sent_at = models.DateTimeField(_("sent"), null=True)
    #: For the first time, as a provider told that counts this.
    opened_at = models.DateTimeField(_("opened"), null=True)
    recipient = models.CharField(_("sent to"), max_length=254, blank=True, default="")
    last_error = models.CharField(_("last error"), max_length=500, blank=True, default="")

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


class SuppressionReason(models.TextChoices):
    BOUNCED = "bounced", _("bounced")
    COMPLAINED = "complained", _("complained")
    UNSUBSCRIBED = "unsubscribed", _("unsubscribed")
    MANUAL = "manual", _("by hand")


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


class Brand(models.Model):
    """How the hotel's mails and its pages for guests look. One row, none before somebody chose something."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    colour = models.CharField(_("colour"), max_length=7, default="#1f4e5f")
    logo = models.BinaryField(_("logo"), default=b"")
    logo_type = models.CharField(max_length=10, blank=True, default="", editable=False)
    logo_width = models.PositiveSmallIntegerField(default=0, editable=False)
    logo_height = models.PositiveSmallIntegerField(default=0, editable=False)
    #: In the logo's address: a new logo has a new one, so each may be cached for ever.
    logo_digest = models.CharField(max_length=16, blank=True, default="", editable=False)

    class Meta:
        verbose_name = _("looks of the mails")
        verbose_name_plural = _("looks of the mails")
        constraints = [
            models.CheckConstraint(condition=Q(id=1), name="reminders_brand_is_one"),
            models.CheckConstraint(
                condition=Q(colour__regex=r"^#[0-9a-f]{6}$"), name="reminders_brand_colour"
            ),
        ]

    def __str__(self) -> str:
        return capfirst(str(self._meta.verbose_name))
