"""The REST API of reservations, reminders and calendars."""
