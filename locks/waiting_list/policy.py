"""Limits and timeouts of the waiting list."""

import datetime

#: Seconds for which an offer is valid.
OFFER_SECONDS = 600

#: Maximum number of open entries of one client, and of one guest session of a client.
MAX_ENTRIES_PER_CLIENT = 500
MAX_ENTRIES_PER_SESSION = 10

#: A new entry is processed again after this time. A transaction that frees a room at the moment of joining does not
#: see the entry, and the joining transaction does not see the free room; after this time both are committed.
PROCESS_AGAIN_AFTER = datetime.timedelta(seconds=20)
#: An entry is processed again after this time if another transaction had locked a room that would fit.
RETRY_LOCKED_ROOM_AFTER = datetime.timedelta(seconds=2)
