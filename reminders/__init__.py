"""Reservations, and the e-mails that guests receive before, during and after their stay."""
