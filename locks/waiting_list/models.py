"""The model of waiting list entries."""

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


#: Statuses of waiting list entries that have not ended: they wait for a room, or a room is offered to them.
OPEN_STATUSES = [WaitingStatus.WAITING, WaitingStatus.OFFERED]


class WaitingListEntry(models.Model):
    """A client that waits for a room, or for any room of a type, for a range of nights.

    A room is offered to the oldest entry first. The offer is a hold. The entry contains no personal data of a guest.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    room = models.ForeignKey(
        "locks.Room", models.CASCADE, null=True, db_index=False, related_name="+", verbose_name=_("room")
    )
    room_type = models.CharField(_("type"), max_length=40)
    """The requested type, or the type of the requested room."""
    guests = models.PositiveSmallIntegerField(_("guests"), default=1)
    nights = DateRangeField(_("nights"))
    status = models.CharField(_("status"), max_length=9, choices=WaitingStatus, default=WaitingStatus.WAITING)
    holder = models.CharField(_("holder"), max_length=60)
    session = models.CharField(_("guest session"), max_length=64, blank=True)
    reference = models.CharField(_("reference"), max_length=64, blank=True)
    offer_seconds = models.PositiveIntegerField(_("offer validity in seconds"))
    """Seconds for which an offer to this entry is valid, as `policy.OFFER_SECONDS` was when the entry was created."""
    hold_id = models.UUIDField(_("offer"), null=True, editable=False)
    """The id of the offer. Not a foreign key, because each of the many deleted holds would be looked up here."""
    joined_at = models.DateTimeField(_("joined"), db_default=Now())
    ended_at = models.DateTimeField(_("ended"), null=True)

    class Meta:
        verbose_name = _("waiting list entry")
        verbose_name_plural = _("waiting list entries")
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
            # The index serves the query for open waiting list entries, which runs after each change to an allocation.
            models.Index(
                fields=["joined_at"], condition=Q(status__in=OPEN_STATUSES), name="locks_waiting_open"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.room or self.room_type} {self.nights.lower:%Y-%m-%d} - {self.nights.upper:%Y-%m-%d}"

    @property
    def requested(self) -> str:
        """The requested room type and, if a specific room was requested, its number: "double" or "double 204"."""
        return f"{self.room_type} {self.room.number}" if self.room else self.room_type
