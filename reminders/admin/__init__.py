"""Reservations and reminders in the hotel's admin."""

from reminders.admin import branding, calendars, failures, reminders, reservations, rules, suppressions  # noqa: F401 - each registers its pages
