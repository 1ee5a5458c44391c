"""Test of the whole monitoring: Prometheus and Alertmanager of Debian read a running site, and deliver its alerts.

The site consists of gunicorn, a Celery worker, and the HTTP server of the worker's metrics. Prometheus runs with the
configuration and the rules of deploy/prometheus, with other addresses and without waiting times.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import yaml

from hotelagent.embedded import paths, ports, processes
from tests import servers
from tests.deploy.exporters import running
from tests.deploy.promql import DEPLOY, queries_of_dashboards
from tests.gunicorn import running_gunicorn
from tests.programs import Program, running_python
from tests.web import QuietHandler, listening, serving

TOKEN = "a-token-of-the-metrics-page"
#: Metrics that a site exposes before its first request and its first task.
EXPECTED = {
    "hotelagent_workers_alive", "hotelagent_beat_tick_age_seconds",
    "hotelagent_holds_active", "hotelagent_usage_hotels_behind", "dlq_queue_size", "dlq_oldest_message_age_seconds",
    "dlq_messages_total", "dlq_retry_latency_seconds_bucket", "hotelagent_due_tick_seconds_bucket",
}  # fmt: skip


@dataclass(slots=True)
class Monitoring:
    """The addresses of the running servers, and the alerts that the receiver has got from Alertmanager."""

    prometheus: str
    worker: "subprocess.Popen[bytes]"
    worker_metrics: Program
    alerts: list[dict[str, Any]]

    def get(self, path: str, **parameters: str) -> Any:
        url = f"{self.prometheus}{path}?{urlencode(parameters)}"
        with urllib.request.urlopen(url, timeout=10) as response:  # noqa: S310 - the URL of the test's Prometheus
            return json.load(response)["data"]

    def names_of_alerts(self) -> set[str]:
        return {alert["labels"]["alertname"] for alert in self.alerts}


def stop(process: "subprocess.Popen[bytes]") -> None:
    processes.stop(process, signal_number=signal.SIGTERM, timeout=15)


def wait_until_equal(read: Callable[[], Any], expected: Any) -> None:
    """Wait until `read` returns the expected value. Raises AssertionError with the last value after two minutes."""
    deadline = time.monotonic() + 120
    value = None
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            if (value := read()) == expected:
                return
        time.sleep(0.1)
    raise AssertionError(f"{value} instead of {expected}")


@pytest.fixture
def programs() -> tuple[str, str]:
    """Return the paths of Prometheus and Alertmanager, or skip the test."""
    found = shutil.which("prometheus"), shutil.which("prometheus-alertmanager")
    if not all(found):
        servers.skip_or_fail_in_ci("prometheus and prometheus-alertmanager")
    return str(found[0]), str(found[1])


@pytest.fixture
def monitoring(
    programs: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, db: None
) -> Iterator[Monitoring]:
    (tmp_path / "metrics").mkdir()
    (tmp_path / "token").write_text(TOKEN)
    worker_port, alert_port, prometheus_port = (ports.find_free_port() for _ in range(3))
    for name, value in {
        "METRICS_TOKEN": TOKEN, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path / "metrics"), "WEB_CONCURRENCY": "1",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    alerts: list[dict[str, Any]] = []

    class Receiver(QuietHandler):
        def do_POST(self) -> None:
            alerts.extend(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["alerts"])
            self.send_head(200)

    with contextlib.ExitStack() as stack:
        receiver = stack.enter_context(serving(listening(Receiver)))
        environment = {**os.environ, "PORT": str(worker_port)}
        # The worker is not started by `tests.program_server`, which has already imported prometheus_client: during its
        # import, prometheus_client reads PROMETHEUS_MULTIPROC_DIR.
        worker = processes.start(
            [
                *(
                    sys.executable,
                    "-m",
                    "celery",
                    "--quiet",
                    "-A",
                    "hotelagent.celery",
                    "worker",
                    "--pool",
                    "solo",
                ),
                *("--without-gossip", "--without-mingle", "--loglevel", "CRITICAL"),
            ],
            output=stack.enter_context((tmp_path / "worker.log").open("wb")),
            environment=environment,
            folder=paths.CHECKOUT,
        )
        stack.callback(stop, worker)
        worker_metrics = stack.enter_context(
            running_python("-m", "deploy.worker_metrics", environment=environment)
        )
        web_port = stack.enter_context(running_gunicorn(tmp_path))
        write_configuration(
            tmp_path, web=f"127.0.0.1:{web_port}", worker=f"127.0.0.1:{worker_port}",
            alertmanager=f"127.0.0.1:{alert_port}", receiver=f"http://127.0.0.1:{receiver.server_port}/",
        )  # fmt: skip
        prometheus, alertmanager = programs
        stack.enter_context(
            running(
                alertmanager, "--config.file=alertmanager.yml", "--storage.path=alertmanager",
                "--cluster.listen-address=", f"--web.listen-address=127.0.0.1:{alert_port}",
                environment={}, folder=tmp_path,
            )
        )  # fmt: skip
        stack.enter_context(
            running(
                prometheus, "--config.file=prometheus.yml", "--storage.tsdb.path=prometheus-data",
                f"--web.listen-address=127.0.0.1:{prometheus_port}", environment={}, folder=tmp_path,
            )
        )  # fmt: skip
        yield Monitoring(f"http://127.0.0.1:{prometheus_port}", worker, worker_metrics, alerts)


def write_configuration(folder: Path, *, web: str, worker: str, alertmanager: str, receiver: str) -> None:
    """Write the configuration of deploy/prometheus with these addresses, short intervals and no waiting times."""
    configuration = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
    configuration["global"] = {
        "scrape_interval": "2s",
        "scrape_timeout": "2s",
        "evaluation_interval": "500ms",
    }
    configuration["alerting"] = {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]}
    jobs = {job["job_name"]: job for job in configuration["scrape_configs"]}
    jobs["web"]["static_configs"], jobs["worker"]["static_configs"] = (
        [{"targets": [web]}],
        [{"targets": [worker]}],
    )
    jobs["web"]["authorization"]["credentials_file"] = str(folder / "token")
    configuration["scrape_configs"] = [jobs["web"], jobs["worker"]]
    for name in configuration["rule_files"]:
        rules = yaml.safe_load((DEPLOY / "prometheus" / name).read_text())
        for group in rules["groups"]:
            for rule in group["rules"]:
                rule.pop("for", None)
        (folder / name).write_text(yaml.safe_dump(rules))
    (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration))
    route = {"receiver": "test", "group_by": ["alertname"], "group_wait": "0s", "group_interval": "1s"}
    receivers = [{"name": "test", "webhook_configs": [{"url": receiver, "send_resolved": False}]}]
    (folder / "alertmanager.yml").write_text(yaml.safe_dump({"route": route, "receivers": receivers}))


@pytest.mark.timeout(400)  # a busy machine needs a minute, and each wait has its own limit
def test_alerts_of_a_running_site_reach_the_receiver(monitoring: Monitoring) -> None:
    def value(query: str) -> list[float]:
        return [
            float(sample["value"][1]) for sample in monitoring.get("/api/v1/query", query=query)["result"]
        ]

    wait_until_equal(lambda: value('sum(up{job=~"web|worker"})'), [2.0])
    wait_until_equal(lambda: value("max(hotelagent_workers_alive)"), [1.0])
    wait_until_equal(lambda: EXPECTED - set(monitoring.get("/api/v1/label/__name__/values")), set())
    for query in queries_of_dashboards():
        expression = query.expression.replace("$hotel", "alpha").replace("$figure", "holds")
        assert monitoring.get("/api/v1/query", query=expression)["resultType"] in {"vector", "scalar"}, query
    # As long as the site and the worker run, neither of these two alerts is active.
    assert value('ALERTS{alertname=~"HotelagentNoWorker|HotelagentDown"}') == []
    monitoring.alerts.clear()  # the worker started after Prometheus had looked for it

    stop(monitoring.worker)
    wait_until_equal(lambda: "HotelagentNoWorker" in monitoring.names_of_alerts(), True)
    monitoring.worker_metrics.kill()
    wait_until_equal(lambda: "HotelagentDown" in monitoring.names_of_alerts(), True)
    [no_worker, *_] = [a for a in monitoring.alerts if a["labels"]["alertname"] == "HotelagentNoWorker"]
    assert no_worker["labels"]["severity"] == "page"
    assert no_worker["annotations"] == {
        "summary": "No Celery worker is alive", "runbook": "runbook.md#work-waits",
    }  # fmt: skip
    [down, *_] = [a for a in monitoring.alerts if a["labels"]["alertname"] == "HotelagentDown"]
    assert down["labels"]["job"] == "worker"
