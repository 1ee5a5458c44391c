"""Limits and timeouts of the waiting list."""

import datetime

#: Seconds for which an offer is valid.
OFFER_SECONDS = 600

#: Maximum number of open entries of one client, and of one guest session of a client.
MAX_ENTRIES_PER_CLIENT = 500
MAX_ENTRIES_PER_SESSION = 10

#: A new entry is processed again after this time. If a room becomes free while a client joins, neither transaction
#: sees the change of the other. After this time both are committed.
PROCESS_AGAIN_AFTER = datetime.timedelta(seconds=20)
#: An entry is processed again after this time if another transaction had locked a suitable room.
RETRY_LOCKED_ROOM_AFTER = datetime.timedelta(seconds=2)
