"""How the web processes run in a deployment. WEB_CONCURRENCY sets their number; gunicorn reads it by itself."""

import os
from typing import Any

from hotelagent.core import metrics

bind = f"0.0.0.0:{os.environ.get('PORT', '8000')}"
worker_class = "gthread"
threads = 4
worker_tmp_dir = "/dev/shm"  # noqa: S108 - a heartbeat file on a disk that is slow looks like a dead worker
max_requests = 10_000  # what leaks is let go now and then
max_requests_jitter = 1_000
graceful_timeout = 30  # seconds; the statement timeout is 15
keepalive = 75  # longer than the proxy's idle time, so that it never talks into a closed connection
control_socket_disable = True  # nobody uses it, and the file system is read-only


def child_exit(_server: Any, worker: Any) -> None:
    metrics.mark_process_dead(worker.pid)
