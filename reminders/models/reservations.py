"""The model of reservations: bookings copied from the hotel's property management system (PMS)."""

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower, Now
from django.utils.translation import gettext_lazy as _

from hotelagent.core.ids import uuid7
from locks.models import Allocation
from reminders.models.search_terms import SearchTerms
from reminders.models.validators import stay_dates_error, validate_language
from tenants.changed_rows import changed_in_column


class ReservationStatus(models.TextChoices):
    BOOKED = "booked", _("booked")
    INQUIRY = "inquiry", _("inquiry")
    CHECKED_IN = "checked_in", _("in house")
    CANCELLED = "cancelled", _("cancelled")
    NO_SHOW = "no_show", _("no-show")
    CHECKED_OUT = "checked_out", _("checked out")


#: The statuses in which the guest is expected or in house, so that the reservation needs a room.
NEEDS_ROOM = frozenset({ReservationStatus.BOOKED, ReservationStatus.INQUIRY, ReservationStatus.CHECKED_IN})


class Reservation(models.Model):
    """A booking from the hotel's property management system (PMS). `external_id` is the booking number in the PMS.

    An inquiry is a booking that the guest has not confirmed yet. An inquiry may have a stay, but causes no reminders.
    Reservations that the front desk creates get a number from hotelagent (`front_desk/numbers.py`).
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    external_id = models.CharField(_("number"), max_length=64)
    status = models.CharField(
        _("status"), max_length=12, choices=ReservationStatus, default=ReservationStatus.BOOKED
    )
    arrival = models.DateField(_("arrival"))
    departure = models.DateField(_("departure"))
    #: The name of the guest. Forms and the API require a name. An imported booking may have no name.
    guest_name = models.CharField(_("guest"), max_length=200)
    guest_email = models.EmailField(_("e-mail"), blank=True)
    guest_phone = models.CharField(_("phone"), max_length=20, blank=True)
    #: A BCP 47 code in lower case: "es", "pt", "pt-br". If empty, the hotel's language is used.
    language = models.CharField(_("language"), max_length=10, blank=True, validators=[validate_language])
    #: An ISO 3166-1 code with three letters, or empty if the country is unknown.
    country = models.CharField(_("country"), max_length=3, blank=True)
    adults = models.PositiveSmallIntegerField(_("adults"), default=1)
    children = models.PositiveSmallIntegerField(_("children"), default=0)
    room_type = models.CharField(_("booked room type"), max_length=40, blank=True)
    #: The assigned room type according to the PMS, or empty if unknown. The type of the stay's room takes precedence.
    assigned_room_type = models.CharField(_("assigned room type"), max_length=40, blank=True, editable=False)
    #: The room types of the second and further rooms. `room_type` and `stay` belong to the first room.
    #: If a reservation has several rooms, the `group_id` of all its stays is the reservation id.
    additional_room_types = ArrayField(
        models.CharField(max_length=40, blank=True), verbose_name=_("further rooms"), default=list, blank=True,
        editable=False,
    )  # fmt: skip
    source = models.CharField(_("source"), max_length=40, blank=True)
    booked_on = models.DateField(_("booked on"), null=True, blank=True)
    #: The day on which the current status began, such as the day of the cancellation.
    status_date = models.DateField(_("status since"), null=True, blank=True)
    #: The times at which the front desk or a REST client recorded the check-in and the check-out.
    #: Imports don't know these times, so the times of an imported status are null.
    checked_in_at = models.DateTimeField(_("check-in time"), null=True, editable=False)
    checked_out_at = models.DateTimeField(_("check-out time"), null=True, editable=False)
    stay = models.OneToOneField(
        Allocation, models.SET_NULL, null=True, blank=True, related_name="reservation", verbose_name=_("stay")
    )
    #: The digest of the URL of the linked calendar from which the booking was imported (`calendars/uids.py`).
    #: Empty if the booking comes from an uploaded iCalendar file, and null if it does not come from a calendar.
    calendar_digest = models.BinaryField(max_length=32, null=True, editable=False)
    #: The UID of the calendar event, which identifies the booking within its calendar.
    #: Imports read all bookings of a calendar at once, so `calendar_digest` and `calendar_uid` have no index.
    calendar_uid = models.CharField(max_length=64, blank=True, default="", db_default="", editable=False)
    updated_at = models.DateTimeField(_("changed"), db_default=Now(), editable=False)
    changed_in = changed_in_column()

    class Meta:
        verbose_name = _("reservation")
        verbose_name_plural = _("reservations")
        # The number has a UniqueConstraint, because `unique=True` would also create an unneeded index for LIKE.
        constraints = [
            models.UniqueConstraint(fields=["external_id"], name="reminders_reservation_external_id"),
            models.CheckConstraint(
                condition=Q(departure__gt=F("arrival")), name="reminders_reservation_has_a_night"
            ),
            models.CheckConstraint(condition=Q(adults__gte=1), name="reminders_reservation_has_an_adult"),
        ]
        indexes = [
            models.Index(fields=["arrival"], name="reminders_reservation_arrival"),
            # This index finds a guest's reservations by e-mail address, for example to apply the daily e-mail limit.
            models.Index(Lower("guest_email"), name="reminders_reservation_email"),
            # This index lists the changes that a client has not seen (`updated_since`).
            models.Index(fields=["changed_in", "id"], name="reminders_reservation_changed"),
            # This index serves the search of the admin for a name, a number, an e-mail address or a phone number.
            GinIndex(
                SearchTerms("guest_name", "external_id", "guest_email", "guest_phone"),
                name="reminders_reservation_search",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.external_id} {self.guest_name}".rstrip()

    def clean(self) -> None:
        if flaw := stay_dates_error(self.arrival, self.departure):
            raise ValidationError(dict([flaw]))

    @property
    def nights(self) -> int:
        return (self.departure - self.arrival).days

    @property
    def version(self) -> str:
        """Return the version of the reservation as a string. The version changes with every update.

        A change that a client sends with an old version is refused.
        """
        return f"{self.updated_at:%Y%m%dT%H%M%S.%f}"
