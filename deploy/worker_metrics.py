"""Serves the metrics of a worker's processes over HTTP.

It runs in a container next to the worker, which has no HTTP server, and reads the shared metrics directory. Start it
from the project folder with `python -m deploy.worker_metrics`, so that it can import the project. The port must be
reachable by Prometheus only, so no proxy may forward requests to it.
"""

import os
import signal

from prometheus_client import CollectorRegistry, start_http_server

from hotelagent.core.metrics import ProcessesCollector

registry = CollectorRegistry()
ProcessesCollector(registry)  # type: ignore[no-untyped-call]
start_http_server(int(os.environ.get("PORT", "9100")), registry=registry)
signal.signal(signal.SIGTERM, signal.SIG_DFL)
signal.pause()
