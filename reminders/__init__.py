"""Reservations, and the e-mails to guests around their stay."""
