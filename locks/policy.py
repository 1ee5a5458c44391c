"""How long, how far and how many."""

import datetime

#: A hold lives this long, and each extension adds that much (seconds).
HOLD_SECONDS = 1200
EXTENSION_SECONDS = 600
EXTENSIONS = 2
#: No hold outlives this, whatever is done with it (seconds).
LIFE_SECONDS = HOLD_SECONDS + EXTENSIONS * EXTENSION_SECONDS

#: What one hold may ask for.
MAX_NIGHTS = 366
MAX_ROOMS = 10
#: Who asks for later nights has mistyped a year, and counting on from the calendar's last day is an error of its own.
MAX_DATE = datetime.date(2999, 12, 31)
#: A room may stand out of service longer than any guest stays: ten years.
MAX_CLOSURE_NIGHTS = 3653

#: Against hoarding: live holds of one key or member of staff, and of one guest's session at it.
#: Counted when a hold is asked for, so callers at the same moment may pass by as many as they are.
HOLDS_PER_CLIENT = 500
HOLDS_PER_SESSION = 20

#: Days after which what came to nothing (a hold, a wait) and what was told is forgotten; the trail keeps what happened.
KEEP_ENDED_DAYS = 7
