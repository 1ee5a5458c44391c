"""Limits, timeouts and the retry schedule of webhooks."""

#: Maximum number of webhooks of a hotel.
MAX_WEBHOOKS = 20

#: Maximum duration of a request in seconds, from the first packet to the status line.
REQUEST_TIMEOUT_SECONDS = 10.0
#: Seconds between the attempts of a delivery, about a day in total. Each is extended by up to a tenth at random.
RETRY_DELAYS = (10, 30, 120, 600, 3600, 10_800, 21_600, 43_200)
#: Seconds without requests to a webhook after a failed one.
BACKOFF_SECONDS = 30
#: Number of days of failed attempts only, after which a webhook is disabled.
DISABLE_AFTER_DAYS = 3

#: `hold.expiring_soon` is published this many seconds before a hold expires.
EXPIRY_WARNING_SECONDS = 120

#: Hours for which the previous secret stays valid after a rotation: the default and the maximum.
DEFAULT_OVERLAP_HOURS = 24
MAX_OVERLAP_HOURS = 168
