"""Limits, time-outs and schedules of the calls to a property management system (PMS)."""

import datetime

#: Timeouts of a request in seconds: of a request that only reads, and of a request that changes something in the PMS.
READ_TIMEOUT_SECONDS = 8.0
WRITE_TIMEOUT_SECONDS = 20.0
#: Maximum size of a response of the PMS in bytes.
MAX_RESPONSE_BYTES = 5_000_000
#: Maximum duration in seconds of a request that only reads, with its repetitions and with the waits between them.
READ_BUDGET_SECONDS = 15.0
#: Delays in seconds before a request that only reads is repeated. Up to half of each delay is added at random.
READ_RETRY_DELAYS = (0.3, 1.0)

#: The circuit breaker opens after this number of failures within this number of seconds.
BREAKER_FAILURES = 5
BREAKER_WINDOW_SECONDS = 30
#: Number of successful probes after which the breaker closes.
BREAKER_SUCCESSES = 2
#: How long the breaker stays open: the first time, and at most. The time doubles with each failed probe.
#: The time is varied by up to a fifth at random, so that hotels with the same PMS do not send their probes together.
BREAKER_OPEN_SECONDS = 15.0
BREAKER_MAX_OPEN_SECONDS = 300.0
BREAKER_JITTER = 0.2
#: If the process that sends the probe dies, another process may send a probe after this number of seconds.
PROBE_LEASE_SECONDS = 60

#: Ages of cached availability in seconds. A fresh value is returned without a call. A stale value is returned, with a
#: label, only if the PMS is unavailable.
FRESH_SECONDS = 60
STALE_SECONDS = 900
#: If a call for availability fails, other callers get the same error for this number of seconds.
CACHED_ERROR_SECONDS = 2
#: While a process calls the PMS for availability, other processes wait for its result, for at most this number of
#: seconds after the start of the call.
LOAD_LEASE_SECONDS = 20

#: The token bucket of a connection: requests per second in the long run, and requests at a time.
REQUESTS_PER_SECOND = 5.0
REQUEST_BURST = 20
#: The longest time that a request waits for a token of the bucket.
MAX_WAIT_SECONDS = 5.0
#: The longest pause that the PMS can ask for with the header Retry-After.
MAX_PAUSE_SECONDS = 3600.0

#: If the process that sends a booking dies, a worker searches the PMS for the booking after this time.
BOOKING_LEASE = datetime.timedelta(seconds=60)
#: After an unclear answer, the PMS may still be processing the request for this time.
SETTLE_TIME = datetime.timedelta(seconds=45)
#: Delays between the attempts to find out whether the PMS has made a booking. After the last attempt, the dead-letter
#: queue stores a failure.
RESOLVE_DELAYS = tuple(
    datetime.timedelta(seconds=seconds) for seconds in (10, 45, 60, 120, 300, 900, 1800, 3600)
)
#: Maximum number of times that a booking is sent to the PMS.
MAX_BOOKING_ATTEMPTS = 3
#: The hold of a booking with an unknown outcome is kept until this time after the next attempt to find the outcome.
HOLD_MARGIN = datetime.timedelta(minutes=20)
#: After the last attempt, the hold is kept for this time, so that a person can decide.
UNCLEAR_HOLD_TIME = datetime.timedelta(days=14)
#: How far before the time of a booking the PMS is searched, because the clocks and time zones of the systems differ.
FIND_MARGIN = datetime.timedelta(days=1)

#: Interval of the synchronization, and how far its time range overlaps with that of the previous synchronization.
SYNC_INTERVAL = datetime.timedelta(minutes=10)
SYNC_OVERLAP = datetime.timedelta(minutes=5)
