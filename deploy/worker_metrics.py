"""An HTTP server for the Prometheus metrics of a Celery worker, which has no HTTP server.

The server runs in a container next to the worker, and reads the metrics directory that both containers share. Start it
in the project folder with `python -m deploy.worker_metrics`. Only Prometheus may reach the port.
"""

import os
import signal

from prometheus_client import CollectorRegistry, start_http_server

from hotelagent.core.metrics import ProcessesCollector

registry = CollectorRegistry()
ProcessesCollector(registry)  # type: ignore[no-untyped-call]
# In a container, this is the first process, for which Linux ignores signals without a handler. So it waits for signals.
stop_signals = {signal.SIGTERM, signal.SIGINT}
signal.pthread_sigmask(signal.SIG_BLOCK, stop_signals)
start_http_server(int(os.environ.get("PORT", "9100")), registry=registry)
signal.sigwait(stop_signals)
