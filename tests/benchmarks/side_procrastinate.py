"""The functions that use procrastinate in the benchmark `dlq-claim`.

The module `contestants` starts a process and calls the functions there.
"""

import os
import subprocess
import sys
from typing import Any

import psycopg
from procrastinate import SyncPsycopgConnector

from hotelagent.embedded import paths
from tests.benchmarks.peer.procrastinate_app import app, nothing

_APP = "tests.benchmarks.peer.procrastinate_app.app"


def _sync_connector() -> SyncPsycopgConnector:
    connector = SyncPsycopgConnector(conninfo=os.environ["DATABASE_DIRECT_URL"])
    connector.open()
    return connector


def prepare() -> None:
    """Create the tables of procrastinate."""
    with app.replace_connector(_sync_connector()) as opened:
        opened.schema_manager.apply_schema()


def run_jobs(count: int, processes: int, concurrency: int) -> float:
    """Let workers execute `count` jobs that do nothing. Return the number of jobs per second.

    The duration is measured by the database's clock, from the start of the first job to the end of the last job.
    """
    url = os.environ["DATABASE_DIRECT_URL"]
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("TRUNCATE procrastinate_jobs, procrastinate_events RESTART IDENTITY CASCADE")
        with app.replace_connector(_sync_connector()):
            jobs: list[dict[str, Any]] = [{"number": number} for number in range(count)]
            nothing.batch_defer(*jobs)
        connection.execute("VACUUM ANALYZE procrastinate_jobs, procrastinate_events")
        command = [sys.executable, "-m", "procrastinate", "--app", _APP, "worker", "--one-shot",
                   "--concurrency", str(concurrency)]  # fmt: skip
        workers = [
            subprocess.Popen(command, cwd=paths.CHECKOUT, stderr=subprocess.DEVNULL) for _ in range(processes)
        ]
        for worker in workers:
            worker.wait(120)
        done, seconds = connection.execute(
            "SELECT count(*) FILTER (WHERE type = 'succeeded'), extract(epoch FROM max(at) - min(at)) "
            "FROM procrastinate_events WHERE type IN ('started', 'succeeded')"
        ).fetchone() or (0, 0)
    if done != count:
        raise RuntimeError(f"procrastinate executed {done} of {count} jobs.")
    return count / float(seconds)
