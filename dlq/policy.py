"""When a failure is tried again, and for how long."""

import random
from datetime import timedelta

DELAYS = (60, 120, 240)  # seconds before the first, second and third retry; after them it is permanent
JITTER = 0.1  # of the delay, either way: what failed together does not come back together
LIFE = timedelta(days=7)  # how long a live entry is retried by itself

# A retrier may run as long as a task may (240 s); past this the worker is taken to be dead.
RUN_LEASE = timedelta(seconds=300)
# A task that was put back into its queue waits there too, and if its worker dies the broker delivers it
# again: this is for a broker that lost it.
QUEUE_LEASE = timedelta(hours=1)


def delay(attempts: int) -> timedelta | None:
    """How long to wait after `attempts` retries have failed; None when it is time to give up."""
    if attempts >= len(DELAYS):
        return None
    return timedelta(seconds=DELAYS[attempts] * random.uniform(1 - JITTER, 1 + JITTER))  # noqa: S311
