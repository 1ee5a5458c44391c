"""The model of linked calendars."""

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from hotelagent.core.ids import uuid7
from hotelagent.core.messages import message_from_json
from locks.models import Room

#: The fields of a stored `CalendarReport` that are lists of events.
_PROBLEM_LISTS = ("rejected", "without_room", "warnings")


class LinkedCalendar(models.Model):
    """An iCalendar URL at which a channel publishes the bookings of one room.

    The calendar is imported every `CALENDAR_POLL_MINUTES` minutes. The URL contains a secret token, so it is stored
    encrypted and never displayed.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    room = models.ForeignKey(Room, models.CASCADE, db_index=False, related_name="+", verbose_name=_("room"))
    name = models.CharField(_("channel"), max_length=60)
    import_closures = models.BooleanField(
        _("import closed nights"),
        default=True,
        help_text=_(
            "Close the room on nights that the channel marks “Not available”. Booking.com also "
            "marks its own bookings “Not available”."
        ),
    )
    host = models.CharField(_("host"), max_length=253, editable=False)
    encrypted_url = models.BinaryField(editable=False)
    #: An HMAC of the URL. The unique constraint on this column prevents linking one calendar to two rooms.
    url_digest = models.BinaryField(max_length=32, editable=False)
    #: The ETag and Last-Modified headers of the last import, for conditional requests (RFC 9110, section 8.8).
    etag = models.CharField(max_length=200, blank=True, default="", editable=False)
    last_modified = models.CharField(max_length=60, blank=True, default="", editable=False)
    last_attempt_at = models.DateTimeField(_("last attempt"), null=True, editable=False)
    last_success_at = models.DateTimeField(_("last import"), null=True, editable=False)
    consecutive_failures = models.PositiveSmallIntegerField(
        _("consecutive failures"), default=0, editable=False
    )
    #: The translatable error message of the last import as JSON (`hotelagent.core.messages`), or null.
    last_error = models.JSONField(_("last error"), null=True, editable=False)
    #: The `CalendarReport` of the last import. The `detail` of each event is a translatable message.
    last_report = models.JSONField(_("last result"), null=True, editable=False)

    #: The UIDs of bookings that the last import did not find in the calendar.
    #: If the next import does not find a UID of this list in the calendar, the booking is cancelled.
    missing_uids = ArrayField(models.CharField(max_length=64), default=list, editable=False)
    #: The number of consecutive imports that found no event at all.
    empty_imports = models.PositiveSmallIntegerField(default=0, editable=False)

    class Meta:
        verbose_name = _("linked calendar")
        verbose_name_plural = _("linked calendars")
        constraints = [
            models.UniqueConstraint(fields=["url_digest"], name="reminders_linkedcalendar_url"),
        ]

    def __str__(self) -> str:
        return f"{self.name}, {self.room}"

    @property
    def error_message(self) -> str:
        """Return the error of the last import in the active language, or an empty string if the import succeeded."""
        return message_from_json(self.last_error)

    @property
    def number_of_problems(self) -> int:
        """Return how many events of the last import staff should check."""
        report = self.last_report or {}
        return sum(len(report.get(name, ())) for name in _PROBLEM_LISTS)

    @property
    def report(self) -> dict[str, Any] | None:
        """Return the last import report with messages in the active language, or None before the first import."""
        return self.last_report and self.last_report | {
            name: [
                {**event, "detail": message_from_json(event["detail"])} for event in self.last_report[name]
            ]
            for name in _PROBLEM_LISTS
        }
