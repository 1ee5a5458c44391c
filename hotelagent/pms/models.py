"""The models of connections to a property management system (PMS), of rates, and of bookings in a PMS.

All tables are in the schema of the hotel.
"""

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from hotelagent.core.ids import uuid7
from hotelagent.core.messages import message_from_json
from hotelagent.pms import policy


class System(models.TextChoices):
    """The kinds of property management systems. Each kind has an adapter."""

    LOCAL = "local", _("The rooms and rates of hotelagent")
    QLOAPPS = "qloapps", _("QloApps 1.6")


class Connection(models.Model):
    """The hotel's connection to its PMS. A hotel has at most one row, which the first change of a default creates."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    system = models.CharField(_("system"), max_length=20, choices=System, default=System.LOCAL)
    url = models.CharField(_("URL"), max_length=500, blank=True)
    encrypted_key = models.BinaryField(null=True, editable=False)
    """The access key. Encrypted and not hashed, because each request contains its plain text."""
    property_id = models.CharField(
        _("property"), max_length=40, blank=True, help_text=_("The number of your hotel in the other system.")
    )
    currency = models.CharField(
        _("currency"), max_length=3, blank=True, help_text=_("Three letters, such as EUR or USD.")
    )
    taxes_included = models.BooleanField(_("the rates include taxes"), default=True)
    room_types = models.JSONField(_("room types in the PMS"), default=dict, blank=True)
    """The number of each room type of the hotel in the PMS, by the name of the room type."""
    #: The token bucket that limits the requests: the number of tokens at the time `tokens_at`.
    tokens = models.FloatField(default=policy.REQUEST_BURST, editable=False)
    tokens_at = models.DateTimeField(db_default=Now(), editable=False)
    #: No requests until this time, because the PMS has asked for a pause (the header Retry-After).
    paused_until = models.DateTimeField(null=True, editable=False)
    #: The time up to which the synchronization has read the changes of the PMS.
    synchronized_until = models.DateTimeField(_("synchronized until"), null=True, editable=False)
    #: The counts of the last synchronization.
    last_report = models.JSONField(null=True, editable=False)

    class Meta:
        verbose_name = _("connection to a PMS")
        verbose_name_plural = _("connection to a PMS")
        constraints = [models.CheckConstraint(condition=Q(id=1), name="pms_connection_single")]

    def __str__(self) -> str:
        return capfirst(str(self._meta.verbose_name))

    @property
    def is_remote(self) -> bool:
        return self.system != System.LOCAL


class Rate(models.Model):
    """A price per room and night, for a room type, a range of nights and some weekdays.

    If several rates match a night, the rate with the shortest range of nights is used, and the newest of those.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    room_type = models.CharField(_("room type"), max_length=40)
    first_night = models.DateField(_("first night"))
    last_night = models.DateField(_("last night"))
    weekdays = ArrayField(
        models.PositiveSmallIntegerField(),
        default=list,
        blank=True,
        verbose_name=_("weekdays"),
        help_text=_(
            "The nights from Monday (1) to Sunday (7). If you choose none, the rate applies to all nights."
        ),
    )
    price = models.DecimalField(
        _("price per night"), max_digits=10, decimal_places=2, validators=[MinValueValidator(0)]
    )
    minimum_nights = models.PositiveSmallIntegerField(
        _("minimum number of nights"),
        default=1,
        validators=[MinValueValidator(1)],
        help_text=_("For stays that begin on one of these nights."),
    )

    class Meta:
        verbose_name = _("rate")
        verbose_name_plural = _("rates")
        ordering = ["room_type", "first_night", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(last_night__gte=F("first_night")),
                name="pms_rate_nights_check",
                violation_error_message=_("The last night must not be before the first night."),
            ),
            models.CheckConstraint(condition=Q(price__gte=0), name="pms_rate_price_check"),
            models.CheckConstraint(condition=Q(minimum_nights__gte=1), name="pms_rate_minimum_check"),
        ]

    def __str__(self) -> str:
        return f"{self.room_type} {self.first_night:%Y-%m-%d} - {self.last_night:%Y-%m-%d}"


#: The operations that have a circuit breaker, as they are shown to staff.
OPERATIONS = {
    "availability": _("searches for free rooms"),
    "quote": _("reading current prices"),
    "book": _("making bookings"),
    "find": _("searches for bookings"),
    "cancel": _("cancelling bookings"),
    "list_changes": _("importing changes"),
}


class CircuitBreaker(models.Model):
    """The state of the circuit breaker of one operation. No row means that the breaker is closed.

    The breaker is open while `open_until` is in the future. After that it is half-open: one probe at a time is allowed.
    The queries in `hotelagent.pms.calls.breaker_queries` make all decisions, by the clock of the database.
    """

    operation = models.TextField(_("operation"), primary_key=True)
    failures = ArrayField(models.DateTimeField(), default=list)
    """The times of the last failures while the breaker is closed."""
    opened_at = models.DateTimeField(_("open since"), null=True)
    open_until = models.DateTimeField(_("open until"), null=True)
    failed_probes = models.PositiveSmallIntegerField(_("failed probes"), default=0)
    successes = models.PositiveSmallIntegerField(_("successful probes"), default=0)
    probe_id = models.UUIDField(null=True)
    probe_until = models.DateTimeField(null=True)
    last_error = models.JSONField(_("last error"), null=True)
    """The message of the last failure, in the format of `hotelagent.core.messages`."""

    class Meta:
        verbose_name = _("circuit breaker")
        verbose_name_plural = _("circuit breakers")

    def __str__(self) -> str:
        return self.operation

    @property
    def operation_label(self) -> str:
        return str(OPERATIONS[self.operation])

    @property
    def error_message(self) -> str:
        """Return the message of the last failure in the active language."""
        return message_from_json(self.last_error)


class BookingStatus(models.TextChoices):
    SENDING = "sending", _("being sent")
    """A process is sending the booking. If the process dies, the booking is resolved after a lease."""
    UNKNOWN = "unknown", _("not clear")
    """The PMS may or may not have made the booking. The rooms stay held."""
    BOOKED = "booked", _("booked")
    REFUSED = "refused", pgettext_lazy("booking", "refused")
    CANCELLING = "cancelling", _("being cancelled")
    """The cancellation was sent, or is about to be sent again, because its outcome is not known."""
    CANCELLED = "cancelled", _("cancelled")


#: The statuses of bookings that a worker must resolve.
UNSETTLED = [BookingStatus.SENDING, BookingStatus.UNKNOWN, BookingStatus.CANCELLING]


class Booking(models.Model):
    """A booking that we make in the PMS, from the hold of its rooms to its reservation.

    The guest's data and the hold's token are deleted as soon as the outcome of the booking is known.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    reference = models.CharField(_("reference"), max_length=32, editable=False)
    """Our reference. The PMS stores the reference with its booking."""
    status = models.CharField(
        _("status"), max_length=10, choices=BookingStatus, default=BookingStatus.SENDING
    )
    hold_id = models.UUIDField(_("hold"), editable=False)
    """The id of the hold of one room, or of the group of holds of several rooms."""
    encrypted_hold_token = models.BinaryField(null=True, editable=False)
    fencing_token = models.BigIntegerField(editable=False)
    room_type = models.CharField(_("room type"), max_length=40)
    room_count = models.PositiveSmallIntegerField(_("number of rooms"), default=1, db_default=1)
    check_in = models.DateField(_("arrival"))
    check_out = models.DateField(_("departure"))
    #: The guests and the price of each room.
    adults = models.PositiveSmallIntegerField(_("adults"))
    children = models.PositiveSmallIntegerField(_("children"), default=0)
    price = models.DecimalField(_("price"), max_digits=12, decimal_places=2, null=True)
    currency = models.CharField(_("currency"), max_length=3, blank=True)
    guest = models.JSONField(null=True, editable=False)
    """The fields of `values.Guest`, or null after the outcome is known."""
    pms_id = models.CharField(_("number in the PMS"), max_length=64, blank=True, editable=False)
    reservation_id = models.UUIDField(_("reservation"), null=True, editable=False)
    sends = models.PositiveSmallIntegerField(_("times sent"), default=0, editable=False)
    """The number of times that the booking was sent to the PMS."""
    resolve_attempts = models.PositiveSmallIntegerField(_("attempts to resolve"), default=0, editable=False)
    last_sent_at = models.DateTimeField(_("last sent"), null=True, editable=False)
    last_error = models.JSONField(_("error"), null=True, editable=False)
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("booking in the PMS")
        verbose_name_plural = _("bookings in the PMS")
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=BookingStatus.values), name="pms_booking_status_check"
            )
        ]
        indexes = [
            models.Index(fields=["pms_id"], condition=~Q(pms_id=""), name="pms_booking_pms_id"),
        ]

    def __str__(self) -> str:
        return self.reference

    @property
    def error_message(self) -> str:
        """Return the reason of the last error in the active language."""
        return message_from_json(self.last_error)


class OccupiedRoom(models.Model):
    """The room of the PMS that a booking of the PMS occupies for some nights.

    The rows show whether the PMS has sold a room twice. Cancelled bookings have no rows.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    pms_id = models.CharField(max_length=64)
    pms_room = models.CharField(max_length=40)
    check_in = models.DateField()
    check_out = models.DateField()

    class Meta:
        indexes = [
            models.Index(fields=["pms_id"], name="pms_occupiedroom_pms_id"),
            models.Index(fields=["pms_room", "check_out"], name="pms_occupiedroom_pms_room"),
        ]

    def __str__(self) -> str:
        return f"{self.pms_room} {self.check_in:%Y-%m-%d} - {self.check_out:%Y-%m-%d}"


class ConflictKind(models.TextChoices):
    OVERBOOKED = "overbooked", _("The PMS has sold the same room twice")
    NO_FREE_ROOM = "no_free_room", _("No room of the type is free")
    NOT_MAPPED = "not_mapped", _("The room type is not assigned")
    INVALID = "invalid", _("The booking is not valid")
    MIXED_ROOMS = "mixed_rooms", _("The rooms have different types or nights")


class Conflict(models.Model):
    """A difference between the PMS and the hotel's rooms that staff must settle. It contains no guest data."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    kind = models.CharField(_("problem"), max_length=12, choices=ConflictKind)
    pms_id = models.CharField(_("number in the PMS"), max_length=64)
    detail = models.JSONField(null=True, editable=False)
    """What staff must check, in the format of `hotelagent.core.messages`."""
    check_in = models.DateField(_("arrival"), null=True)
    check_out = models.DateField(_("departure"), null=True)
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)
    settled_at = models.DateTimeField(_("settled"), null=True, editable=False)

    class Meta:
        verbose_name = _("conflict with the PMS")
        verbose_name_plural = _("conflicts with the PMS")
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "pms_id"], condition=Q(settled_at__isnull=True), name="pms_conflict_open"
            )
        ]

    def __str__(self) -> str:
        return f"{self.pms_id}: {ConflictKind(self.kind).label}"

    @property
    def message(self) -> str:
        """Return what staff must check, in the active language."""
        return message_from_json(self.detail)
