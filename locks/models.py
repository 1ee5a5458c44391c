"""What is stored: rooms, and one row for each time a room is taken, whatever takes it."""

import datetime

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateRangeField, IntegerRangeField, RangeOperators
from django.db import models
from django.db.models import F, Func, Q, Value
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from hotelagent.core.ids import uuid7
from locks.waiting_list import models as _waiting_list  # noqa: F401 - Django finds an app's models here
from locks.webhooks import models as _webhooks  # noqa: F401


class Room(models.Model):
    """A room that can be sold. Its key is an integer: it stands in a range in the constraint of `Stay`."""

    id = models.AutoField(primary_key=True)
    number = models.CharField(_("number"), max_length=20)
    room_type = models.CharField(_("type"), max_length=40)
    floor = models.SmallIntegerField(_("floor"), null=True, blank=True)
    capacity = models.PositiveSmallIntegerField(
        _("capacity"), default=2, help_text=_("How many may sleep in it.")
    )
    fencing_token = models.BigIntegerField(default=0, editable=False)
    """The number of the last hold that this room was given to; it only grows."""

    class Meta:
        verbose_name = _("room")
        verbose_name_plural = _("rooms")
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(fields=["number"], name="locks_room_number_unique"),
            models.CheckConstraint(condition=Q(capacity__gte=1), name="locks_room_sleeps_someone"),
        ]

    def __str__(self) -> str:
        return self.number


class AllocationStatus(models.TextChoices):
    HELD = "held", _("held")
    CONFIRMED = "confirmed", _("confirmed")
    CLOSED = "closed", _("closed")
    RELEASED = "released", _("released")
    EXPIRED = "expired", _("expired")
    CANCELLED = "cancelled", _("cancelled")


#: The statuses in which an allocation occupies its room. An expired hold does so until it is ended.
#: The database function `locks_occupies` says the same.
OCCUPYING = [AllocationStatus.HELD, AllocationStatus.CONFIRMED, AllocationStatus.CLOSED]


class Allocation(models.Model):
    """A room taken for some nights: a hold, the stay it becomes, or a time out of service.

    One table, so that one constraint judges them all. `nights` is `[arrival, departure)`: a guest who leaves
    and one who arrives on the same day do not clash. No name or address of a guest stands here.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    room = models.ForeignKey(
        Room, models.PROTECT, related_name="allocations", db_index=False, verbose_name=_("room")
    )  # asked by room and nights: the constraint's index answers
    nights = DateRangeField(_("nights"))
    status = models.CharField(_("status"), max_length=14, choices=AllocationStatus)
    group_id = models.UUIDField(_("group"), null=True, editable=False)
    """Shared by the holds of several rooms that were made together."""
    token_digest = models.BinaryField(max_length=32, null=True, editable=False)
    """SHA-256 of the owner's token, which has 256 random bits."""
    fencing_token = models.BigIntegerField(_("fencing token"), null=True, editable=False)
    expires_at = models.DateTimeField(_("expires"), null=True, editable=False)
    max_expires_at = models.DateTimeField(null=True, editable=False)
    extensions_left = models.PositiveSmallIntegerField(_("extensions left"), default=0, editable=False)
    holder = models.CharField(_("holder"), max_length=60, blank=True, editable=False)
    """`<kind>:<id>` of the key or member of staff that took the room."""
    session = models.CharField(_("guest session"), max_length=64, blank=True)
    """The client's own name for one guest's visit: an opaque string, never a name or an address."""
    reference = models.CharField(_("reference"), max_length=64, blank=True)
    """The client's own number for the booking."""
    reason = models.CharField(_("reason"), max_length=200, blank=True)
    """Why a room is out of service, or why staff ended a hold."""
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("stay")
        verbose_name_plural = _("stays")
        constraints = [
            # Nights stand first: the same index then answers "who is here between" for the whole hotel
            # (0.4 ms where room-first takes 3.5, 500 rooms with 200,000 stays) and one room's nights
            # as fast as room-first would. Core GiST compares ranges with =, so no extension is needed.
            ExclusionConstraint(
                name="locks_allocation_no_overlap",
                expressions=[
                    ("nights", RangeOperators.OVERLAPS),
                    (
                        Func(
                            F("room_id"),
                            F("room_id"),
                            Value("[]"),
                            function="int4range",
                            output_field=IntegerRangeField(),
                        ),
                        RangeOperators.EQUAL,
                    ),
                ],
                condition=Q(status__in=OCCUPYING),
            ),
            models.CheckConstraint(
                condition=Q(nights__isempty=False, nights__lower_inf=False, nights__upper_inf=False),
                name="locks_allocation_nights_check",
            ),
            models.CheckConstraint(
                condition=Q(status__in=AllocationStatus.values), name="locks_allocation_status_check"
            ),
            models.CheckConstraint(
                condition=~Q(status=AllocationStatus.HELD)
                | Q(token_digest__isnull=False, expires_at__isnull=False, fencing_token__isnull=False),
                name="locks_allocation_held_check",
            ),
        ]
        indexes = [
            # What one client holds now (limits, lists); small, because holds end.
            models.Index(
                fields=["holder"], condition=Q(status=AllocationStatus.HELD), name="locks_allocation_held"
            ),
            models.Index(
                fields=["group_id"], condition=Q(group_id__isnull=False), name="locks_allocation_group"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.room} {self.check_in:%Y-%m-%d} - {self.check_out:%Y-%m-%d}"

    @property
    def check_in(self) -> datetime.date:
        day: datetime.date = self.nights.lower
        return day

    @property
    def check_out(self) -> datetime.date:
        day: datetime.date = self.nights.upper
        return day
