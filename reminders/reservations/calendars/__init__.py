"""Stays as iCalendar (RFC 5545): a channel manager's calendar read, the hotel's own written."""
