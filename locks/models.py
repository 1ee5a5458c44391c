"""The models of rooms and of the allocations that occupy them."""

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
from tenants.changed_rows import changed_in_column

#: The maximum value of a room's id. The type of the column is `integer`.
MAX_ROOM_ID = 2**31 - 1


class Room(models.Model):
    """A room that can be booked. Its id is an integer, because the constraint against overlaps uses integer ranges."""

    id = models.AutoField(primary_key=True)
    number = models.CharField(_("number"), max_length=20)
    room_type = models.CharField(_("type"), max_length=40)
    floor = models.SmallIntegerField(_("floor"), null=True, blank=True)
    capacity = models.PositiveSmallIntegerField(
        _("capacity"), default=2, help_text=_("The number of guests that the room has space for.")
    )
    fencing_token = models.BigIntegerField(default=0, editable=False)
    """The largest fencing token that a hold of this room has had. It never decreases."""

    class Meta:
        verbose_name = _("room")
        verbose_name_plural = _("rooms")
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(fields=["number"], name="locks_room_number_unique"),
            models.CheckConstraint(condition=Q(capacity__gte=1), name="locks_room_capacity_at_least_1"),
        ]

    def __str__(self) -> str:
        return self.number


class AllocationStatus(models.TextChoices):
    """The status of a hold (held, released, expired), stay (confirmed, cancelled) or closure (closed, cancelled)."""

    HELD = "held", _("held")
    CONFIRMED = "confirmed", _("confirmed")
    CLOSED = "closed", _("closed")
    RELEASED = "released", _("released")
    EXPIRED = "expired", _("expired")
    CANCELLED = "cancelled", _("cancelled")


#: The statuses in which an allocation occupies its room.
#: A hold whose `expires_at` has passed still has the status HELD, and occupies the room, until it is ended.
#: The database function `locks_occupies` must list the same statuses as `OCCUPYING`.
OCCUPYING = [AllocationStatus.HELD, AllocationStatus.CONFIRMED, AllocationStatus.CLOSED]


class Allocation(models.Model):
    """A room that is occupied for some nights: a hold, the stay that it becomes, or a closure.

    Holds, stays and closures are stored in one table, so that one constraint prevents overlaps. The table contains no
    names or addresses of guests.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    # The foreign key has no separate index, because queries for a room's allocations use the constraint's index.
    room = models.ForeignKey(
        Room, models.PROTECT, related_name="allocations", db_index=False, verbose_name=_("room")
    )
    nights = DateRangeField(_("nights"))
    status = models.CharField(_("status"), max_length=9, choices=AllocationStatus)
    group_id = models.UUIDField(_("group"), null=True, editable=False)
    """The id that holds share if they were acquired together, and that the stays of one reservation share."""
    token_digest = models.BinaryField(max_length=32, null=True, editable=False)
    """The SHA-256 digest of the owner's token, which has 256 random bits."""
    fencing_token = models.BigIntegerField(_("fencing token"), null=True, editable=False)
    expires_at = models.DateTimeField(_("expires"), null=True, editable=False)
    max_expires_at = models.DateTimeField(null=True, editable=False)
    """The latest possible expiry after extensions."""
    extensions_left = models.PositiveSmallIntegerField(_("extensions left"), default=0, editable=False)
    holder = models.CharField(_("holder"), max_length=60, blank=True, editable=False)
    """The API key or the member of staff that created the allocation, as `<kind>:<id>`."""
    session = models.CharField(_("guest session"), max_length=64, blank=True)
    """An opaque text by which the client identifies a guest's visit. It is not a name or an address."""
    reference = models.CharField(_("reference"), max_length=64, blank=True)
    """The client's reference of the booking."""
    reason = models.CharField(_("reason"), max_length=200, blank=True)
    """Why the room is closed, or why staff released the hold."""
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)
    updated_at = models.DateTimeField(_("changed"), db_default=Now(), editable=False)
    changed_in = changed_in_column()

    class Meta:
        verbose_name = _("hold or stay")
        verbose_name_plural = _("holds and stays")
        constraints = [
            # The nights are the first column of the index, because most queries search a hotel's allocations by dates.
            # With the room as the first column, a search by dates takes nine times as long (500 rooms, 200,000 stays).
            # GiST can index integers only with an extension, so the room's id is indexed as a range of one integer.
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
            # The index of a client's live holds stays small, because each hold ends within an hour.
            models.Index(
                fields=["holder", "expires_at"],
                condition=Q(status=AllocationStatus.HELD),
                name="locks_allocation_held",
            ),
            models.Index(
                fields=["group_id"], condition=Q(group_id__isnull=False), name="locks_allocation_group"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.room} {self.check_in:%Y-%m-%d} - {self.check_out:%Y-%m-%d}"

    @property
    def check_in(self) -> datetime.date:
        date: datetime.date = self.nights.lower
        return date

    @property
    def check_out(self) -> datetime.date:
        date: datetime.date = self.nights.upper
        return date
