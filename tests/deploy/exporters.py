"""The metrics of the exporters of PostgreSQL, Redis and PgBouncer.

Tests run the exporters of PostgreSQL and Redis, which are in Debian's packages `PACKAGES`. The exporter of PgBouncer is
github.com/prometheus-community/pgbouncer_exporter, which no package contains. Its metrics are copies of columns of
`SHOW POOLS`, so tests compare the columns with a running PgBouncer. Debian's exporter of PgBouncer 1.7 ends with
KeyError, because PgBouncer 1.8 has renamed a column.
"""

import contextlib
import os
import re
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from hotelagent.embedded import ports
from tests import servers

PACKAGES = ("prometheus-postgres-exporter", "prometheus-redis-exporter")
_SERIES = re.compile(r"^(\w+)(?:\{(.*)\})? ", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="(?:[^"\\]|\\.)*"')
#: The metrics of the exporter of PgBouncer, and the columns of `SHOW POOLS` that they copy.
PGBOUNCER_METRICS = {
    "pgbouncer_pools_client_active_connections": "cl_active",
    "pgbouncer_pools_client_waiting_connections": "cl_waiting",
    "pgbouncer_pools_client_maxwait_seconds": "maxwait",
}
#: The labels of these metrics, which are columns of `SHOW POOLS` too.
PGBOUNCER_LABELS = frozenset({"database", "user"})


def labels_in(exposition: str) -> dict[str, frozenset[str]]:
    """Return the labels of each time series in a response in Prometheus' text format, by the name of the series.

    The parser of prometheus_client is not used, because it appends `_total` to the names of all counters.
    """
    labels: dict[str, frozenset[str]] = {}
    for name, pairs in _SERIES.findall(exposition):
        labels[name] = labels.get(name, frozenset()) | frozenset(_LABEL.findall(pairs))
    return labels


@contextlib.contextmanager
def running(program: str, *arguments: str, environment: dict[str, str], folder: Path) -> Iterator[None]:
    """Run a program until the end of the `with` block. The output is written to a file in the folder."""
    with (folder / Path(program).name).open("wb") as log:
        process = subprocess.Popen(
            [program, *arguments],
            env=os.environ | environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=folder,
        )
    try:
        yield
    finally:
        process.kill()
        process.wait()


def scrape(url: str, *, required: str, log: Path) -> dict[str, frozenset[str]]:
    """Return the labels of the time series at the URL, as soon as the response contains the text `required`."""
    deadline = time.monotonic() + 30
    text = ""
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5) as response:  # noqa: S310
            text = response.read().decode()
            if required in text:
                return labels_in(text)
        time.sleep(0.05)
    raise AssertionError(f"{url} does not contain {required}: {text[:500]} {log.read_text()[-2000:]}")


def labels_of_pgbouncer(pgbouncer: servers.PgBouncer) -> dict[str, frozenset[str]]:
    """Return the labels of the metrics whose columns the running PgBouncer has."""
    user, password = next(iter(pgbouncer.logins.items()))
    with psycopg.connect(
        host="127.0.0.1",
        port=pgbouncer.port,
        user=user,
        password=password,
        dbname="pgbouncer",
        autocommit=True,
    ) as admin:
        # PgBouncer's own database accepts simple queries only.
        cursor = psycopg.ClientCursor(admin)
        cursor.execute("SHOW POOLS")
        columns = {column.name for column in cursor.description or ()}
    assert columns >= PGBOUNCER_LABELS
    return {metric: PGBOUNCER_LABELS for metric, column in PGBOUNCER_METRICS.items() if column in columns}


def labels_of_exporters(redis_url: str, superuser_url: str, folder: Path) -> dict[str, frozenset[str]]:
    """Run the exporters against running servers, and return the labels of the time series of all exporters."""
    programs = {name: shutil.which(name) for name in PACKAGES}
    if missing := [name for name, path in programs.items() if path is None]:
        servers.skip_or_fail_in_ci(" and ".join(missing))
    postgres_port, redis_port = ports.find_free_port(), ports.find_free_port()
    postgres, valkey = (str(programs[name]) for name in PACKAGES)
    server = urlsplit(redis_url)
    with (
        running(
            postgres, f"--web.listen-address=127.0.0.1:{postgres_port}",
            environment={"DATA_SOURCE_NAME": superuser_url, "PGSSLMODE": "disable"}, folder=folder,
        ),
        running(
            valkey, f"-web.listen-address=127.0.0.1:{redis_port}",
            f"-redis.addr=redis://{server.hostname}:{server.port}",
            environment={"REDIS_PASSWORD": server.password or ""}, folder=folder,
        ),
    ):  # fmt: skip
        return {
            name: labels
            for program, port, required in (
                (postgres, postgres_port, "pg_stat_activity_count"), (valkey, redis_port, "redis_memory_used_bytes"),
            )
            for name, labels in scrape(
                f"http://127.0.0.1:{port}/metrics", required=required, log=folder / Path(program).name
            ).items()
        }  # fmt: skip
