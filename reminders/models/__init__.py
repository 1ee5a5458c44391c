"""What is stored about a hotel's reservations and the reminders of them."""

from reminders.models.brand import Brand
from reminders.models.reminders import Reminder, ReminderStatus, SkipReason, Suppression, SuppressionReason
from reminders.models.reservations import Reservation, ReservationStatus
from reminders.models.rules import FIRST_RULES, Rule, Template
from reminders.reservations.calendars.models import CalendarAddress

__all__ = [
    "FIRST_RULES",
    "Brand",
    "CalendarAddress",
    "Reminder",
    "ReminderStatus",
    "Reservation",
    "ReservationStatus",
    "Rule",
    "SkipReason",
    "Suppression",
    "SuppressionReason",
    "Template",
]
