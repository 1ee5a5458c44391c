"""Reservations in the iCalendar format (RFC 5545): linked calendars of channels, file imports, and the hotel's feed."""
