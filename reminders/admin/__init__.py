"""Reservations and reminders in the hotel's admin."""

from reminders.admin import failures, reminders, reservations, rules  # noqa: F401 - each registers its pages
