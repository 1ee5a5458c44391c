"""Test of the metrics server of a worker, which runs without the settings and secrets of the application."""

import os
import signal
import sys
import urllib.request
from pathlib import Path

from hotelagent.embedded import paths, ports, processes
from tests.servers import wait_until_listening


def test_metrics_server_of_a_worker_starts_without_secrets(tmp_path: Path) -> None:
    port = ports.find_free_port()
    metrics = tmp_path / "metrics"
    metrics.mkdir()
    environment = {
        "PATH": os.environ["PATH"],
        "DJANGO_SETTINGS_MODULE": "hotelagent.settings.production",
        "PROMETHEUS_MULTIPROC_DIR": str(metrics),
        "PORT": str(port),
    }
    log = tmp_path / "log"
    with log.open("wb") as output:
        process = processes.start(
            [sys.executable, "-m", "deploy.worker_metrics"],
            output=output, environment=environment, folder=Path(paths.CHECKOUT),
        )  # fmt: skip
    try:
        wait_until_listening(process, port, log, timeout=60)
        with urllib.request.urlopen(f"http://{ports.LOOPBACK}:{port}/metrics", timeout=30) as response:
            assert response.status == 200
        # The exit code 0 shows that the process handles the signal, so it also ends as the first one of a container.
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
    finally:
        processes.stop(process, signal_number=signal.SIGTERM, timeout=10)
