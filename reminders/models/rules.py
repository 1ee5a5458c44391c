"""The models of rules and templates, which define when reminders are sent and what they contain."""

from uuid import uuid4

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from hotelagent.core.ids import uuid7
from tenants.languages import language_name


class RuleAnchor(models.TextChoices):
    """The day of the stay (arrival or departure) from which a rule's days and hours are counted."""

    ARRIVAL = "arrival", _("before arrival")
    DEPARTURE = "departure", _("after departure")


class LateBookingPolicy(models.TextChoices):
    """The policy for a reminder whose send window had already ended when the reservation was booked."""

    SEND_NOW = (
        "send_now",
        _("send the reminder immediately after a late booking, unless the arrival day has ended"),
    )
    SKIP = "skip", _("skip")


class GuestFilter(models.TextChoices):
    """The guests that a rule applies to. A returning guest has an earlier stay with the same e-mail address."""

    ANY = "any", _("all guests")
    NEW = "new", _("new guests")
    RETURNING = "returning", _("returning guests")


#: The names of the default rules that every hotel has. The names are translated when they are displayed.
FIRST_RULES = {
    "7 days before arrival": _("7 days before arrival"),
    "1 day before arrival": _("1 day before arrival"),
}


class Rule(models.Model):
    """A rule that determines when a reminder is sent and for which reservations.

    `reminders.planning.schedule` computes the times.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(_("name"), max_length=80)
    is_active = models.BooleanField(_("active"), default=True)
    anchor = models.CharField(_("timing"), max_length=9, choices=RuleAnchor, default=RuleAnchor.ARRIVAL)
    offset_days = models.PositiveSmallIntegerField(_("days"), default=0)
    offset_hours = models.PositiveSmallIntegerField(
        _("hours"),
        default=0,
        help_text=_(
            "These hours are added to the days. Example: 0 days and 36 hours means 36 hours before or after the local "
            "time below."
        ),
    )
    send_at = models.TimeField(
        _("local time"), help_text=_("The planned time of day of the reminder, in the hotel's time zone.")
    )
    window_hours = models.PositiveSmallIntegerField(
        _("send window (hours)"),
        default=12,
        help_text=_(
            "The number of hours after the planned time during which the reminder may still be sent."
        ),
    )
    late_policy = models.CharField(
        _("late booking"), max_length=8, choices=LateBookingPolicy, default=LateBookingPolicy.SKIP
    )
    # `room_types` and `sources` are limited to 20 items, so that a row fits into one page of PostgreSQL (8 kB).
    # The migration gives the array columns PLAIN storage, so PostgreSQL creates no TOAST table for rules.
    room_types = ArrayField(
        models.CharField(max_length=40), verbose_name=_("room types"), default=list, blank=True, size=20
    )
    sources = ArrayField(
        models.CharField(max_length=40), verbose_name=_("sources"), default=list, blank=True, size=20
    )
    min_nights = models.PositiveSmallIntegerField(_("minimum nights"), null=True, blank=True)
    max_nights = models.PositiveSmallIntegerField(_("maximum nights"), null=True, blank=True)
    guests = models.CharField(_("guests"), max_length=9, choices=GuestFilter, default=GuestFilter.ANY)
    order = models.PositiveSmallIntegerField(
        _("order"),
        default=10,
        help_text=_(
            "If a guest gets several reminders on one day, the reminder of the rule with the lowest number in this "
            "field is sent first."
        ),
    )
    daily_limit = models.PositiveSmallIntegerField(
        _("daily limit per guest"),
        null=True,
        blank=True,
        help_text=_(
            "The reminder is skipped if the guest would receive more than this many e-mails that day. Leave blank for "
            "no limit."
        ),
    )
    #: A digest of this row, set by a database trigger. Workers compare digests to detect outdated cached rows.
    revision = models.UUIDField(default=uuid4, editable=False)

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
            models.CheckConstraint(
                condition=Q(daily_limit__gte=1), name="reminders_rule_daily_limit_of_one_or_more"
            ),
        ]

    def __str__(self) -> str:
        return str(FIRST_RULES.get(self.name, self.name))


class Template(models.Model):
    """The subject and the content of a rule's e-mails in one language.

    The layout around the content is the same for all e-mails (`hotelagent/mail.html`).
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    rule = models.ForeignKey(
        Rule, models.CASCADE, db_index=False, related_name="templates", verbose_name=_("rule")
    )
    language = models.CharField(_("language"), max_length=10)
    subject = models.CharField(_("subject"), max_length=200)
    html = models.TextField(_("HTML"))
    text = models.TextField(_("text"))
    #: A digest of this row, set by a database trigger. Workers compare digests to detect outdated cached rows.
    revision = models.UUIDField(default=uuid4, editable=False)

    class Meta:
        verbose_name = _("template")
        verbose_name_plural = _("templates")
        ordering = ["rule", "language"]
        constraints = [
            models.UniqueConstraint(fields=["rule", "language"], name="reminders_template_rule_language")
        ]

    def __str__(self) -> str:
        return f"{self.rule} ({language_name(self.language)})"
