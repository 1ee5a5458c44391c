"""What is stored of the calendars that channels publish."""

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from hotelagent.core.ids import uuid7
from hotelagent.core.messages import message_from_json
from locks.models import Room


class CalendarAddress(models.Model):
    """Where a channel manager publishes one room's calendar, which is read every half hour.

    The address holds a token that opens the calendar to whoever has it: it is stored sealed and shown to nobody.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    room = models.ForeignKey(Room, models.CASCADE, db_index=False, related_name="+", verbose_name=_("room"))
    name = models.CharField(_("channel"), max_length=60)
    closes_room = models.BooleanField(
        _("closed nights close the room"),
        default=True,
        help_text=_(
            "What the channel calls “Not available” is out of service here. Booking.com calls its bookings so, too."
        ),
    )
    host = models.CharField(_("host"), max_length=253, editable=False)
    sealed_url = models.BinaryField(editable=False)
    #: HMAC of the address: one address is one room's.
    url_digest = models.BinaryField(max_length=32, editable=False)
    #: What the channel called the version that was read last (RFC 9110, 8.8).
    etag = models.CharField(max_length=200, blank=True, default="", editable=False)
    modified = models.CharField(max_length=60, blank=True, default="", editable=False)
    polled_at = models.DateTimeField(_("asked"), null=True, editable=False)
    read_at = models.DateTimeField(_("read"), null=True, editable=False)
    #: In a row, up to the last time it was asked.
    failures = models.PositiveSmallIntegerField(_("failures"), default=0, editable=False)
    #: As `hotelagent.core.messages` keeps them: why it could not be read, and each event's `detail` in the report.
    error = models.JSONField(_("last error"), null=True, editable=False)
    #: What the calendar held when it was read last, in numbers.
    report = models.JSONField(_("last result"), null=True, editable=False)

    #: The bookings that it held when it was read last, and those of them that were missing then for the first time.
    held = ArrayField(models.CharField(max_length=64), default=list, editable=False)
    gone = ArrayField(models.CharField(max_length=64), default=list, editable=False)

    class Meta:
        verbose_name = _("calendar address")
        verbose_name_plural = _("calendar addresses")
        constraints = [
            models.UniqueConstraint(fields=["url_digest"], name="reminders_calendaraddress_once"),
        ]

    def __str__(self) -> str:
        return f"{self.name}, {self.room}"

    @property
    def why(self) -> str:
        """What the last reading failed for, and what to do; empty where it did not."""
        return message_from_json(self.error)

    @property
    def found(self) -> dict[str, Any] | None:
        """The report for a reader."""
        return self.report and self.report | {
            name: [{**event, "detail": message_from_json(event["detail"])} for event in self.report[name]]
            for name in ("refused", "without_room")
        }
