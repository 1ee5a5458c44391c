"""The token bucket that limits a hotel's requests to its PMS, in PostgreSQL, shared by all processes."""

from __future__ import annotations

import time

from django.db import connection
from django.utils.translation import gettext_noop as _

from hotelagent.core.messages import TranslatableMessage
from hotelagent.pms import policy
from hotelagent.pms.errors import PmsRateLimited

# SQL for the number of tokens now: the tokens at the last request, and the tokens that have been added since.
_TOKENS = "least(%(burst)s, tokens + extract(epoch FROM clock_timestamp() - tokens_at)::double precision * %(rate)s)"


def take_token() -> None:
    """Take a token for one request. If there is none, wait for the next one, for at most `MAX_WAIT_SECONDS`.

    Raises PmsRateLimited if the wait would be longer. The token is committed immediately, so call this function outside
    of a transaction.
    """
    deadline = time.monotonic() + policy.MAX_WAIT_SECONDS
    while (wait := _try_take()) is not None:
        if time.monotonic() + wait > deadline:
            raise PmsRateLimited(
                TranslatableMessage(
                    _("The next request to the property management system is allowed in {seconds} seconds."),
                    seconds=max(1, round(wait)),
                ),
                retry_after=wait,
            )
        time.sleep(wait)


def pause(seconds: float) -> None:
    """Send no requests for this number of seconds, because the PMS has asked for a pause. A longer pause is kept."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE pms_connection
            SET paused_until = greatest(paused_until, clock_timestamp() + make_interval(secs => %s))
            """,
            [min(seconds, policy.MAX_PAUSE_SECONDS)],
        )


def _try_take() -> float | None:
    """Take a token and return None. If the bucket is empty, return the number of seconds until the next token."""
    params = {"burst": policy.REQUEST_BURST, "rate": policy.REQUESTS_PER_SECOND}
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            UPDATE pms_connection SET tokens = {_TOKENS} - 1, tokens_at = clock_timestamp()
            WHERE coalesce(paused_until <= clock_timestamp(), true) AND {_TOKENS} >= 1
            """,  # noqa: S608 - a constant expression
            params,
        )
        if cursor.rowcount:
            return None
        cursor.execute(
            f"""
            SELECT greatest(0.01, (1 - {_TOKENS}) / %(rate)s,
                coalesce(extract(epoch FROM paused_until - clock_timestamp()), 0)) FROM pms_connection
            """,  # noqa: S608
            params,
        )
        row = cursor.fetchone()
    return None if row is None else float(row[0])
