"""Limits and timeouts of the waiting list."""

import datetime

#: Seconds for which an offer is valid.
OFFER_SECONDS = 600

#: Maximum number of open waiting list entries of one client.
MAX_ENTRIES_PER_CLIENT = 500
#: Maximum number of open waiting list entries of one guest session of a client.
MAX_ENTRIES_PER_SESSION = 10

#: Time after which a new waiting list entry is processed again, to find rooms that were being released meanwhile.
#: A new entry can't get a room that another transaction is releasing, until the other transaction has committed.
PROCESS_AGAIN_AFTER = datetime.timedelta(seconds=20)
#: Delay before a waiting list entry is processed again because another transaction had locked a suitable room.
RETRY_LOCKED_ROOM_AFTER = datetime.timedelta(seconds=2)
