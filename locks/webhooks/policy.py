"""Limits, timeouts and the retry schedule of webhooks."""

#: Maximum number of webhooks of a hotel.
MAX_WEBHOOKS = 20

#: Maximum duration of a request in seconds, from the first packet to the status line.
REQUEST_TIMEOUT_SECONDS = 10.0
#: Delays between the attempts of a delivery in seconds. Up to a tenth of each delay is added at random.
RETRY_DELAYS = (10, 30, 120, 600, 3600, 10_800, 21_600, 43_200)
#: After a failed request, no request is sent to the webhook for this number of seconds.
BACKOFF_SECONDS = 30
#: A webhook is turned off if all attempts fail for this number of days.
TURN_OFF_AFTER_DAYS = 3

#: Number of seconds before the expiry of a hold at which the event `hold.expiring_soon` is published.
EXPIRY_WARNING_SECONDS = 120

#: Default and maximum number of hours for which the previous secret stays valid after a rotation.
DEFAULT_OVERLAP_HOURS = 24
MAX_OVERLAP_HOURS = 168
