"""Requests to a remote PMS: the circuit breaker, the rate limit, the time budget and, for reads, repetitions."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from hotelagent.pms import metrics, policy
from hotelagent.pms.adapters.interface import Adapter, Capability
from hotelagent.pms.calls import breaker, rate_limit
from hotelagent.pms.errors import PmsError, PmsUnavailable

T = TypeVar("T")


def read(adapter: Adapter, operation: str, request: Callable[[], T]) -> T:
    """Send a request that changes nothing, and return its result. If the PMS is unavailable, repeat the request.

    If the adapter is not remote, only call `request`. All attempts and waits together take at most
    `policy.READ_BUDGET_SECONDS`, plus the duration of the last request. Call this function outside of a transaction.
    Raises the errors of the adapter, PmsCircuitOpen or PmsRateLimited.
    """
    if Capability.REMOTE not in adapter.capabilities:
        return request()
    deadline = time.monotonic() + policy.READ_BUDGET_SECONDS
    for delay in policy.READ_RETRY_DELAYS:
        try:
            return _send(operation, request)
        except PmsUnavailable as error:
            if not error.reached_pms:
                raise
            wait = max(delay * random.uniform(1, 1.5), error.retry_after or 0)  # noqa: S311 - no secret
            if time.monotonic() + wait > deadline:
                raise
        time.sleep(wait)
    return _send(operation, request)


def write(adapter: Adapter, operation: str, request: Callable[[], T]) -> T:
    """Send a request that changes the PMS, exactly once, and return its result. Call it outside of a transaction.

    The request is never repeated, because the PMS may have made the change although its response was lost. Raises the
    errors of the adapter, PmsCircuitOpen or PmsRateLimited.
    """
    if Capability.REMOTE not in adapter.capabilities:
        return request()
    return _send(operation, request)


def _send(operation: str, request: Callable[[], T]) -> T:
    outcome = "error"
    try:
        with breaker.guard(operation), metrics.CALL_SECONDS.labels(operation=operation).time():
            result = request()
        outcome = "success"
    except PmsError as error:
        outcome = error.code
        if isinstance(error, PmsUnavailable) and error.reached_pms and error.retry_after:
            rate_limit.pause(error.retry_after)
        raise
    finally:
        metrics.CALLS.labels(operation=operation, outcome=outcome).inc()
    return result
