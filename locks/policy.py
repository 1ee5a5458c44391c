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
LAST_DAY = datetime.date(2999, 12, 31)
#: A room may stand out of service longer than any guest stays: ten years.
MAX_NIGHTS_OUT_OF_SERVICE = 3653

#: Against hoarding: live holds of one key or member of staff, and of one guest's session at it.
#: Counted when a hold is asked for, so callers at the same moment may pass by as many as they are.
HOLDS_PER_CLIENT = 500
HOLDS_PER_SESSION = 20

#: The waiting list: how long an offer stands (seconds), and how many may be waited for at once.
OFFER_SECONDS = 600
WAITING_PER_CLIENT = 500
WAITING_PER_SESSION = 10

#: A webhook is told so long before a hold ends (seconds).
WARNING_SECONDS = 120
WEBHOOKS = 20
#: Hours for which the secret before a rotation still signs: unless told otherwise, and at most.
SECRET_OVERLAP_HOURS = 24
SECRET_OVERLAP_HOURS_MOST = 168
#: Seconds before a notice is sent again, each with up to a tenth more: about a day. Then it is a failure for people.
NOTICE_WAITS = (10, 30, 120, 600, 3600, 10_800, 21_600, 43_200)
#: After a failure a webhook is left alone for so long (seconds); after so many days of nothing else it is switched off.
QUIET_SECONDS = 30
FAILING_DAYS = 3

#: Days after which what came to nothing (a hold, a wait) and what was told is forgotten; the trail keeps what happened.
KEEP_ENDED_DAYS = 7
