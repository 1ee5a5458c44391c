"""The queries of the circuit breaker. Each is one statement, so that it also works through a transaction pooler.

PostgreSQL decides with its own clock whether the breaker is open and which process sends the probe, so all processes
of a hotel agree. Run these queries outside of a transaction: a transaction would keep the row locked during the request
to the PMS, and a rollback would forget failures.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from uuid import UUID

from django.db import connection

from hotelagent.pms import policy


@dataclass(frozen=True, slots=True)
class BreakerState:
    """The state of a breaker. `open_seconds` is the number of seconds until a probe is allowed, and 0 if it is now."""

    is_closed: bool
    open_seconds: float


def read_state(operation: str) -> BreakerState:
    """Return the state of the breaker of an operation."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT open_until IS NULL, coalesce(extract(epoch FROM open_until - clock_timestamp()), 0)
            FROM pms_circuitbreaker WHERE operation = %s
            """,
            [operation],
        )
        row = cursor.fetchone()
    return (
        BreakerState(is_closed=True, open_seconds=0)
        if row is None
        else BreakerState(row[0], max(0.0, float(row[1])))
    )


def claim_probe(operation: str, *, probe_id: UUID) -> bool:
    """Claim the probe of a half-open breaker. Return False if the breaker is not half-open or the probe is claimed.

    Concurrent callers update the same row, and PostgreSQL checks the condition again after the wait for the row. So
    exactly one caller gets the probe. The claim ends with the probe, or after `PROBE_LEASE_SECONDS`.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE pms_circuitbreaker
            SET probe_id = %s, probe_until = clock_timestamp() + make_interval(secs => %s)
            WHERE operation = %s AND open_until <= clock_timestamp()
              AND (probe_until IS NULL OR probe_until <= clock_timestamp())
            """,
            [probe_id, policy.PROBE_LEASE_SECONDS, operation],
        )
        return bool(cursor.rowcount == 1)


def record_probe_success(operation: str, *, probe_id: UUID) -> bool:
    """Count a successful probe. Return True if the breaker closed because of the probe."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE pms_circuitbreaker
            SET probe_id = NULL, probe_until = NULL, successes = successes + 1,
                open_until = CASE WHEN successes + 1 < %(needed)s THEN open_until END,
                failures = '{}'
            WHERE operation = %(operation)s AND probe_id = %(probe)s
            RETURNING open_until IS NULL
            """,
            {"needed": policy.BREAKER_SUCCESSES, "operation": operation, "probe": probe_id},
        )
        row = cursor.fetchone()
    return bool(row and row[0])


def record_probe_failure(
    operation: str, *, probe_id: UUID, open_seconds: float, error: dict[str, object]
) -> None:
    """Open the breaker again after a failed probe, for a longer time than before.

    `open_seconds` is the time for which the breaker opens first. It doubles with each failed probe.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE pms_circuitbreaker
            SET probe_id = NULL, probe_until = NULL, successes = 0, failed_probes = failed_probes + 1,
                open_until = clock_timestamp() + make_interval(
                    secs => least(%(maximum)s, %(seconds)s * 2 ^ least(failed_probes + 1, 10))),
                last_error = %(error)s
            WHERE operation = %(operation)s AND probe_id = %(probe)s
            """,
            {
                "maximum": policy.BREAKER_MAX_OPEN_SECONDS,
                "seconds": open_seconds,
                "error": json.dumps(error),
                "operation": operation,
                "probe": probe_id,
            },
        )


def release_probe(operation: str, *, probe_id: UUID) -> None:
    """Let another process send the probe, because this probe showed nothing about the PMS."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE pms_circuitbreaker SET probe_id = NULL, probe_until = NULL WHERE operation = %s AND probe_id = %s",
            [operation, probe_id],
        )


def record_failure(operation: str, *, open_seconds: float, error: dict[str, object]) -> bool:
    """Count a failure of a closed breaker. Return True if the breaker opened because of the failure.

    A breaker that is open stays as it is: a request that began before the breaker opened must not prolong the time for
    which the breaker is open.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO pms_circuitbreaker AS breaker (operation, failures, failed_probes, successes, last_error)
            VALUES (%(operation)s, ARRAY[clock_timestamp()], 0, 0, %(error)s)
            ON CONFLICT (operation) DO UPDATE
            SET (failures, opened_at, open_until, failed_probes, successes, last_error) = (
                SELECT recent.times || clock_timestamp(),
                    CASE WHEN opens THEN clock_timestamp() END,
                    CASE WHEN opens THEN clock_timestamp() + make_interval(secs => %(seconds)s) END,
                    0, 0, excluded.last_error
                FROM (
                    SELECT array(
                        SELECT failed_at FROM unnest(breaker.failures) AS failed_at
                        WHERE failed_at > clock_timestamp() - make_interval(secs => %(window)s)) AS times
                ) AS recent, LATERAL (SELECT cardinality(recent.times) + 1 >= %(limit)s AS opens) AS decision)
            WHERE breaker.open_until IS NULL
            RETURNING open_until IS NOT NULL
            """,
            {
                "operation": operation,
                "error": json.dumps(error),
                "seconds": open_seconds,
                "window": policy.BREAKER_WINDOW_SECONDS,
                "limit": policy.BREAKER_FAILURES,
            },
        )
        row = cursor.fetchone()
    return bool(row and row[0])
