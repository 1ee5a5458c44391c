"""Limits of the waiting list."""

#: The waiting list: how long an offer stands (seconds), and how many may be waited for at once.
OFFER_SECONDS = 600
WAITING_PER_CLIENT = 500
WAITING_PER_SESSION = 10
