"""E-mails to guests around their stay: each once, at the hotel's local time, never after a cancellation."""
