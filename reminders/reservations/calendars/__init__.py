"""Stays as iCalendar (RFC 5545): linked calendars of channels, calendar imports, and the hotel's own feed."""
