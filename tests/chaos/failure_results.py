"""The results of the chaos test of the dead-letter queue, read from the hotels' tables and the file of job runs."""

import json
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import psycopg

#: A due item that becomes due later than this belongs to a failure that waits for an older failure.
SOON = "10 minutes"


@dataclass(frozen=True)
class StoredAttempt:
    number: int
    started_at: datetime
    ended_at: datetime | None
    outcome: str


@dataclass(frozen=True)
class StoredFailure:
    """A failure that a hotel has stored. `number` identifies the job that failed, and comes from the payload."""

    hotel: int
    id: str
    name: str
    number: int
    status: str
    error_type: str
    attempts: list[StoredAttempt] = field(default_factory=list)


@dataclass(frozen=True)
class Run:
    """A line of the file in which jobs record their runs. A job appends a line when it starts and when it ends.

    `key` is the idempotency key of a Celery task, or else the id of the failure.
    """

    event: str
    name: str
    number: int
    key: str
    at: float


class Record:
    """The file to which each run of a task or of a retry handler appends lines.

    The test reads the file while workers append lines.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._position = 0
        self._lines: list[Run] = []

    def runs(self) -> list[Run]:
        with self.path.open("rb") as file:
            file.seek(self._position)
            new = file.read()
        new = new[: new.rfind(b"\n") + 1]
        self._position += len(new)
        self._lines += [Run(**json.loads(line)) for line in new.splitlines()]
        return self._lines

    def count_done(self) -> int:
        return sum(run.event == "done" for run in self.runs())


@dataclass(frozen=True)
class Results:
    failures: list[StoredFailure]
    runs: list[Run]

    @cached_property
    def done(self) -> dict[int, int]:
        """A dict that maps each job number to the number of times that the job was completed."""
        counts: dict[int, int] = defaultdict(int)
        for run in self.runs:
            counts[run.number] += run.event == "done"
        return counts

    def with_status(self, *statuses: str) -> list[StoredFailure]:
        return [failure for failure in self.failures if failure.status in statuses]

    def interrupted_runs(self, name: str) -> set[str]:
        """Return the keys of the jobs of this kind whose last run was interrupted before it succeeded or failed."""
        begun: dict[str, int] = defaultdict(int)
        for run in self.runs:
            if run.name == name:
                begun[run.key] += 1 if run.event == "begin" else -1
        return {key for key, count in begun.items() if count}

    def overlapping_attempts(self) -> list[tuple[StoredFailure, StoredAttempt, StoredAttempt]]:
        """Return the attempts of one failure whose stored intervals overlap."""
        return [
            (failure, first, second)
            for failure in self.failures
            for first, second in pairwise(sorted(failure.attempts, key=lambda attempt: attempt.number))
            if first.ended_at is None or second.started_at < first.ended_at
        ]

    def overlapping_runs(self, names: tuple[str, ...]) -> list[tuple[Run, Run]]:
        """Return pairs of lines of the record: two runs of one failure that overlapped in time.

        A run that was killed has only its first line, so the start of the next run counts as its end.
        """
        by_key: dict[str, list[Run]] = defaultdict(list)
        for run in self.runs:
            if run.name in names:
                by_key[run.key].append(run)
        return [
            (first, second)
            for runs in by_key.values()
            for first, second in pairwise(runs)
            if second.event != "begin" and first.event != "begin"
        ]


def read_tables(url: str) -> list[StoredFailure]:
    """Read the failures of all hotels. `StoredFailure.hotel` is the index of the hotel in the list sorted by slug."""
    failures: dict[Any, StoredFailure] = {}
    with psycopg.connect(url, autocommit=True) as connection:
        hotels = connection.execute("SELECT schema FROM tenants_hotel ORDER BY slug").fetchall()
        for hotel, (schema,) in enumerate(hotels):
            rows = connection.execute(
                "SELECT id, name, coalesce(payload -> 'number', payload #> '{args,0}')::int, status, error_type "
                f'FROM "{schema}".dlq_failure'
            )
            for id_, *values in rows:
                failures[id_] = StoredFailure(hotel, str(id_), *values)
            rows = connection.execute(
                f'SELECT failure_id, number, started_at, ended_at, outcome FROM "{schema}".dlq_attempt'
            )
            for id_, *values in rows:
                failures[id_].attempts.append(StoredAttempt(*values))
    return list(failures.values())


def count_due_items(url: str, *, soon: bool = False) -> int:
    """Count the due items for retries of failures. With `soon`, count only those that are due within SOON."""
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(
            "SELECT count(*) FROM tenants_dueitem WHERE kind IN ('failure', 'redrive') "
            "AND (NOT %s OR due_at < now() + %s::interval)",
            [soon, SOON],
        ).fetchone()
    return row[0] if row else -1
