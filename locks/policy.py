"""Limits and lifetimes of holds, stays and closures."""

import datetime

#: Seconds until a new hold expires, seconds that an extension adds, and maximum number of extensions of a hold.
HOLD_SECONDS = 1200
EXTENSION_SECONDS = 600
EXTENSIONS = 2
#: Maximum lifetime of a hold in seconds. A hold can't be extended beyond this lifetime.
MAX_LIFETIME_SECONDS = HOLD_SECONDS + EXTENSIONS * EXTENSION_SECONDS

#: Maximum number of nights, and maximum number of rooms, in one hold.
MAX_NIGHTS = 366
MAX_ROOMS = 10
#: The last possible check-out date. Later dates are typing errors, and Python has no dates after the year 9999.
MAX_DATE = datetime.date(2999, 12, 31)
#: Maximum number of nights of one closure: ten years.
MAX_CLOSURE_NIGHTS = 3653

#: Maximum number of rooms that a client may hold at a time. A client is an API key or a member of staff.
#: The rooms are counted when a hold is acquired, so concurrent requests may exceed the limit together.
MAX_HOLDS_PER_CLIENT = 500
#: Maximum number of rooms that a client may hold at a time for one guest session.
MAX_HOLDS_PER_SESSION = 20

#: Number of days after which ended holds, waiting list entries and webhook deliveries are deleted.
DAYS_UNTIL_DELETION = 7
