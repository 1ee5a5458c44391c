"""The circuit breaker of the calls to a PMS. Each hotel has one breaker per operation, in PostgreSQL.

After several failures the breaker opens, and calls fail immediately instead of waiting for a system that is down. When
the open time is over, the breaker is half-open: one process sends one request as a probe. Successful probes close the
breaker.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from django.utils.translation import gettext_noop as _

from audit.services import record
from hotelagent.core.ids import uuid7
from hotelagent.core.messages import TranslatableMessage, message_to_json
from hotelagent.pms import events, metrics, policy
from hotelagent.pms.calls import breaker_queries
from hotelagent.pms.errors import PmsCircuitOpen, PmsError
from hotelagent.pms.models import CircuitBreaker


@contextmanager
def guard(operation: str) -> Iterator[None]:
    """Run one request to the PMS under the breaker of the operation.

    Raises PmsCircuitOpen if the breaker is open. A `PmsError` that counts against the breaker is counted as a failure.
    Other errors of the PMS, such as a refused booking, show that the PMS works, so they count as a success. Errors
    before the request was sent are not counted. Call this function outside of a transaction.
    """
    probe_id = _enter(operation)
    try:
        yield
    except PmsError as error:
        if error.counts_against_breaker:
            _record_failure(operation, probe_id, error)
        elif error.reached_pms:
            _record_success(operation, probe_id)
        else:
            _release_probe(operation, probe_id)
        raise
    except BaseException:
        _release_probe(operation, probe_id)
        raise
    _record_success(operation, probe_id)


def reset(operation: str) -> None:
    """Close the breaker of an operation, because a person knows that the PMS works again."""
    CircuitBreaker.objects.filter(operation=operation).delete()
    record(events.CIRCUIT_RESET, operation=operation)


def _enter(operation: str) -> UUID | None:
    """Return None if the breaker is closed, or the id of the probe that the caller may send. Raises PmsCircuitOpen."""
    state = breaker_queries.read_state(operation)
    if state.is_closed:
        return None
    probe_id = uuid7()
    if state.open_seconds == 0 and breaker_queries.claim_probe(operation, probe_id=probe_id):
        return probe_id
    raise PmsCircuitOpen(
        TranslatableMessage(
            _(
                "The property management system has failed repeatedly. The next attempt is in {seconds} seconds."
            ),
            seconds=max(1, round(state.open_seconds)),
        ),
        retry_after=max(1.0, state.open_seconds),
    )


def _release_probe(operation: str, probe_id: UUID | None) -> None:
    if probe_id is not None:
        breaker_queries.release_probe(operation, probe_id=probe_id)


def _record_success(operation: str, probe_id: UUID | None) -> None:
    if probe_id is None:
        return  # Nothing changes while the breaker is closed, so a successful call needs no additional SQL statement.
    if breaker_queries.record_probe_success(operation, probe_id=probe_id):
        record(events.CIRCUIT_CLOSED, operation=operation)


def _record_failure(operation: str, probe_id: UUID | None, error: PmsError) -> None:
    open_seconds = policy.BREAKER_OPEN_SECONDS * random.uniform(  # noqa: S311 - no secret
        1 - policy.BREAKER_JITTER, 1 + policy.BREAKER_JITTER
    )
    message = message_to_json(error.detail)
    record(events.CALL_FAILED, operation=operation, reason=error.code)
    if probe_id is not None:
        breaker_queries.record_probe_failure(
            operation, probe_id=probe_id, open_seconds=open_seconds, error=message
        )
    elif breaker_queries.record_failure(operation, open_seconds=open_seconds, error=message):
        metrics.CIRCUIT_OPENED.labels(operation=operation).inc()
        record(events.CIRCUIT_OPENED, operation=operation, failures=policy.BREAKER_FAILURES)
