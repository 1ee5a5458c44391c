"""The model of the daily usage of each hotel."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from hotelagent.core.ids import uuid7
from tenants.models.hotels import Hotel


class HotelUsage(models.Model):
    """The numbers of one hotel and one day in the hotel's time zone. The row contains no personal data.

    The table is in the platform's schema only. A periodic task writes the row after the end of the day. A number is
    null if the task ran too late to count it.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    hotel = models.ForeignKey(
        Hotel, models.CASCADE, db_index=False, related_name="usage", verbose_name=_("hotel")
    )
    day = models.DateField(_("day"))
    counted_at = models.DateTimeField(_("counted"))
    #: Reservations that were created on this day.
    reservations = models.PositiveIntegerField(_("new reservations"))
    #: Rooms with a confirmed stay in the night that begins on this day.
    stays = models.PositiveIntegerField(_("occupied rooms"))
    #: Holds that were acquired on this day, including those that were released, expired or confirmed later.
    holds = models.PositiveIntegerField(_("holds"))
    reminders_sent = models.PositiveIntegerField(_("reminders sent"))
    #: Reminders that were planned for this day and have failed.
    reminders_failed = models.PositiveIntegerField(_("reminders failed"))
    #: Requests with an API key that the rate limit allowed. Null for days before the first count of a hotel.
    api_calls = models.PositiveBigIntegerField(_("API calls"), null=True)
    #: The open failures, the size of the schema and the active accounts at `counted_at`. Null for days that were
    #: counted later than on the next day.
    failures_open = models.PositiveIntegerField(_("open failures"), null=True)
    storage_bytes = models.PositiveBigIntegerField(_("storage in bytes"), null=True)
    staff = models.PositiveIntegerField(_("active staff accounts"), null=True)

    class Meta:
        verbose_name = _("daily usage")
        verbose_name_plural = _("daily usage")
        constraints = [
            models.UniqueConstraint(fields=["hotel", "day"], name="tenants_hotelusage_once"),
        ]
        # This index finds the newest rows of all hotels, and the rows that are too old.
        indexes = [models.Index(fields=["day"], name="tenants_hotelusage_day")]

    def __str__(self) -> str:
        return f"{self.hotel_id} {self.day}"
