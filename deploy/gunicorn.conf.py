"""The configuration of the web processes. gunicorn reads their number from the variable WEB_CONCURRENCY."""

import os
from typing import Any

from hotelagent.core import metrics

bind = f"0.0.0.0:{os.environ.get('PORT', '8000')}"
worker_class = "gthread"
threads = 4
# In memory, because gunicorn kills workers whose heartbeat file is not updated, which a slow disk can cause.
worker_tmp_dir = "/dev/shm"  # noqa: S108 - gunicorn creates the files with random names
max_requests = 10_000  # restarts the workers from time to time, to limit memory leaks
max_requests_jitter = 1_000
graceful_timeout = 30  # seconds, twice the statement timeout
keepalive = 75  # seconds, longer than the proxy's, so that the proxy does not use a closed connection
control_socket_disable = True  # the file system of the container is read-only


def post_worker_init(_worker: Any) -> None:
    from hotelagent import gunicorn_errors  # noqa: PLC0415 - needs the settings, which the application has loaded by now

    gunicorn_errors.install()


def child_exit(_server: Any, worker: Any) -> None:
    metrics.mark_process_dead(worker.pid)
