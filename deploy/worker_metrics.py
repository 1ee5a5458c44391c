"""Serves what a worker's processes have counted, from a container beside it that shares their directory.

A worker answers no requests, and the web's processes see only their own directory. The port may only
be reached by Prometheus, inside the network: no proxy leads to it.
"""

import os
import signal

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.multiprocess import MultiProcessCollector

registry = CollectorRegistry()
MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
start_http_server(int(os.environ.get("PORT", "9100")), registry=registry)
signal.signal(signal.SIGTERM, signal.SIG_DFL)
signal.pause()
