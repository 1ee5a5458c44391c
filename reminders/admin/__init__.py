"""Reservations and reminders in the hotel's admin."""

from reminders.admin import reminders, reservations, rules  # noqa: F401 - each registers its pages
