"""Who waits for a room."""

from django.contrib.postgres.fields import DateRangeField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from hotelagent.core.ids import uuid7


class WaitingStatus(models.TextChoices):
    WAITING = "waiting", _("waiting")
    OFFERED = "offered", _("offered")
    CLAIMED = "claimed", _("claimed")
    EXPIRED = "expired", _("expired")
    CANCELLED = "cancelled", _("cancelled")


#: Who may still get a room by waiting, or has one on offer. All else has ended.
IN_LINE = [WaitingStatus.WAITING, WaitingStatus.OFFERED]


class WaitingListEntry(models.Model):
    """Somebody who waits for a room, or for any of a type, on some nights. First come, first offered.

    The offer is a hold of its own, made for the entry's `holder`. No name or address of a guest stands here.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    room = models.ForeignKey(
        "locks.Room", models.CASCADE, null=True, db_index=False, related_name="+", verbose_name=_("room")
    )
    room_type = models.CharField(_("type"), max_length=40)
    """Of the room, where one is named."""
    guests = models.PositiveSmallIntegerField(_("guests"), default=1)
    nights = DateRangeField(_("nights"))
    status = models.CharField(_("status"), max_length=9, choices=WaitingStatus, default=WaitingStatus.WAITING)
    holder = models.CharField(_("holder"), max_length=60)
    session = models.CharField(_("guest session"), max_length=64, blank=True)
    reference = models.CharField(_("reference"), max_length=64, blank=True)
    offer_seconds = models.PositiveIntegerField()
    """How long an offer to this entry stands: what was the rule when it joined."""
    hold_id = models.UUIDField(_("offer"), null=True, editable=False)
    """The offer. No foreign key: holds are forgotten by the thousand, and each would be looked for here."""
    joined_at = models.DateTimeField(_("joined"), db_default=Now())
    ended_at = models.DateTimeField(_("ended"), null=True)

    class Meta:
        verbose_name = _("waiting list entry")
        verbose_name_plural = _("waiting list")
        constraints = [
            models.CheckConstraint(
                condition=Q(nights__isempty=False, nights__lower_inf=False, nights__upper_inf=False),
                name="locks_waiting_nights_check",
            ),
            models.CheckConstraint(
                condition=Q(status__in=WaitingStatus.values), name="locks_waiting_status_check"
            ),
        ]
        indexes = [
            # Whether anybody waits at all is asked whenever a room is taken or given back.
            models.Index(fields=["joined_at"], condition=Q(status__in=IN_LINE), name="locks_waiting_in_line"),
        ]

    def __str__(self) -> str:
        return f"{self.room or self.room_type} {self.nights.lower:%Y-%m-%d} - {self.nights.upper:%Y-%m-%d}"
