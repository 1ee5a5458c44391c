"""The gunicorn configuration of the web processes. WEB_CONCURRENCY sets the number of processes."""

import os
from typing import Any

from hotelagent.core import metrics

bind = f"0.0.0.0:{os.environ.get('PORT', '8000')}"
worker_class = "gthread"
threads = 4
# Heartbeat files are kept in memory. A slow disk would delay them, and gunicorn kills workers without a heartbeat.
worker_tmp_dir = "/dev/shm"  # noqa: S108 - gunicorn creates the files with random names
max_requests = 10_000  # A worker is restarted after this many requests, to limit memory leaks.
max_requests_jitter = 1_000
# The graceful timeout, in seconds, is twice the timeout of an SQL statement, so that running requests can finish.
graceful_timeout = 30
# Idle connections are kept longer than the reverse proxy keeps them, so the proxy never uses a closed connection.
keepalive = 75  # seconds
# gunicorn cannot create its control socket, because the container's file system is read-only.
control_socket_disable = True


def post_worker_init(_worker: Any) -> None:
    from hotelagent import gunicorn_errors  # noqa: PLC0415 - needs the settings, which the application has loaded by now

    gunicorn_errors.install()


def child_exit(_server: Any, worker: Any) -> None:
    metrics.mark_process_dead(worker.pid)
