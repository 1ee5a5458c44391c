"""The models of reservations, linked calendars, rules and reminders."""

from reminders.models.branding import EmailBranding
from reminders.models.calendars import LinkedCalendar
from reminders.models.reminders import Reminder, ReminderStatus, SkipReason, Suppression, SuppressionReason
from reminders.models.reservations import Reservation, ReservationStatus
from reminders.models.rules import FIRST_RULES, GuestFilter, LateBookingPolicy, Rule, RuleAnchor, Template

__all__ = [
    "FIRST_RULES",
    "EmailBranding",
    "GuestFilter",
    "LateBookingPolicy",
    "LinkedCalendar",
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
