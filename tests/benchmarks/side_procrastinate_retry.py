"""The functions of procrastinate that schedule failed jobs again, for the comparison with retries in hotelagent.

The module `contestants` starts a process and calls the functions in it.
"""

import datetime
import os
import time
from typing import Any

from procrastinate import App, SyncPsycopgConnector

app = App(connector=SyncPsycopgConnector(conninfo=os.environ["DATABASE_DIRECT_URL"]))


@app.task(name="bench.work")
def do_nothing(n: int) -> None: ...


def prepare() -> None:
    """Create the tables of procrastinate in the benchmark database."""
    app.open()
    app.schema_manager.apply_schema()


def fill(count: int) -> None:
    """Store `count` failed jobs."""
    jobs: list[dict[str, Any]] = [{"n": number} for number in range(count)]
    do_nothing.batch_defer(*jobs)
    _fail_all()


def schedule(count: int) -> float:
    """Schedule all failed jobs again, and return the duration in seconds.

    Afterwards mark all jobs as failed, so that the benchmark can repeat the measurement.
    """
    rows = app.connector.get_sync_connector().execute_query_all(
        "SELECT id FROM procrastinate_jobs ORDER BY id"
    )
    started = time.perf_counter()
    now = datetime.datetime.now(datetime.UTC)
    for job in rows:
        app.job_manager.retry_job_by_id(job["id"], retry_at=now)
    seconds = time.perf_counter() - started
    query = "SELECT count(*) AS count FROM procrastinate_jobs WHERE status = 'todo'"
    if app.connector.get_sync_connector().execute_query_one(query)["count"] != count:
        raise RuntimeError("Not all jobs were scheduled.")
    _fail_all()
    return seconds


def _fail_all() -> None:
    app.connector.get_sync_connector().execute_query("UPDATE procrastinate_jobs SET status = 'failed'")
