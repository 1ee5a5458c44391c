"""The models of reservations, linked calendars, rules and reminders."""

from reminders.models.branding import EmailBranding
from reminders.models.calendars import LinkedCalendar
from reminders.models.file_imports import (
    ACTIVE_STATUSES,
    RESERVATION_KINDS,
    FileImport,
    ImportKind,
    ImportStatus,
    ReservationImport,
    RoomImport,
)
from reminders.models.reminders import Reminder, ReminderStatus, SkipReason, Suppression, SuppressionReason
from reminders.models.reservations import NEEDS_ROOM, Reservation, ReservationStatus
from reminders.models.rules import FIRST_RULES, GuestFilter, LateBookingPolicy, Rule, RuleAnchor, Template
from reminders.setup import models as _setup  # noqa: F401 - Django finds an app's models here

__all__ = [
    "ACTIVE_STATUSES",
    "FIRST_RULES",
    "NEEDS_ROOM",
    "RESERVATION_KINDS",
    "EmailBranding",
    "FileImport",
    "GuestFilter",
    "ImportKind",
    "ImportStatus",
    "LateBookingPolicy",
    "LinkedCalendar",
    "Reminder",
    "ReminderStatus",
    "Reservation",
    "ReservationImport",
    "ReservationStatus",
    "RoomImport",
    "Rule",
    "RuleAnchor",
    "SkipReason",
    "Suppression",
    "SuppressionReason",
    "Template",
]
