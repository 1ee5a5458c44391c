"""The REST API for reservations, reminders and calendars."""
