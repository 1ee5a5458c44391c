"""What is stored about a hotel's reservations and the reminders of them."""

from reminders.models.branding import EmailBranding
from reminders.models.reminders import Reminder, ReminderStatus, SkipReason, Suppression, SuppressionReason
from reminders.models.reservations import Reservation, ReservationStatus
from reminders.models.rules import FIRST_RULES, GuestFilter, LateBookingPolicy, Rule, RuleAnchor, Template
from reminders.reservations.calendars.models import CalendarAddress

__all__ = [
    "FIRST_RULES",
    "CalendarAddress",
    "EmailBranding",
    "GuestFilter",
    "LateBookingPolicy",
    "Reminder",
    "ReminderStatus",
    "Reservation",
    "ReservationStatus",
    "Rule",
    "RuleAnchor",
    "SkipReason",
    "Suppression",
    "SuppressionReason",
    "Template",
]
