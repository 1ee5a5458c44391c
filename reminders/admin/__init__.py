"""Reservations and reminders in the hotel's admin."""

from reminders.admin import (  # noqa: F401 - each registers its pages
    brand,
    calendars,
    failures,
    reminders,
    reservations,
    rules,
    suppressions,
)
