"""Tests of Grafana's dashboards, the alerts and the objectives: the metrics and labels that they name must exist."""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from tests import servers
from tests.deploy.exporters import labels_of_exporters, labels_of_pgbouncer
from tests.deploy.promql import (
    DASHBOARDS,
    DEPLOY,
    Query,
    faults_of,
    names_in,
    own_labels,
    queries_of_dashboard,
    queries_of_dashboards,
    queries_of_rules,
    recorded_metrics,
)

#: The time series that Prometheus itself creates.
PROMETHEUS = {"up": frozenset[str](), "ALERTS": frozenset({"alertname", "alertstate", "severity"})}
#: The beginnings of the names of the metrics of exporters, and the jobs in prometheus.yml that read these metrics.
JOBS = {"pg_": "postgres", "pgbouncer_": "pgbouncer", "redis_": "valkey"}
EXPORTERS = tuple(JOBS)


@pytest.fixture(scope="module")
def labels_of() -> dict[str, frozenset[str]]:
    """Return the labels of all metrics of the project, of Prometheus, and of the recording rules."""
    return own_labels() | PROMETHEUS | dict.fromkeys(recorded_metrics(), frozenset[str]())


def uses_exporter(query: Query) -> bool:
    return any(name.startswith(EXPORTERS) for name, _labels in names_in(query.expression).selectors)


def test_queries_name_metrics_and_labels_that_the_project_exposes(
    labels_of: dict[str, frozenset[str]],
) -> None:
    queries = [query for query in queries_of_dashboards() + queries_of_rules() if not uses_exporter(query)]
    assert len(queries) > 100
    assert [fault for query in queries for fault in faults_of(query, labels_of)] == []


@pytest.mark.parametrize(
    ("expression", "shown", "fault"),
    [
        ("sum(rate(hotelagent_request_second_count[5m]))", "", "no metric hotelagent_request_second_count"),
        ('sum(rate(hotelagent_request_seconds_count{code="200"}[5m]))', "", "has no label code"),
        ("sum by (verb) (hotelagent_request_seconds_count)", "", "no metric has the label verb"),
        ("sum by (status) (hotelagent_request_seconds_count)", "view", "the result has no label view"),
        ("histogram_quantile(0.5, sum by (le) (hotelagent_request_seconds_count))", "", "the label le"),
        ("1 + 2", "", "no metric"),
    ],
)
def test_query_with_an_unknown_metric_or_label_is_found(
    expression: str, shown: str, fault: str, labels_of: dict[str, frozenset[str]]
) -> None:
    found = faults_of(Query("a panel", expression, frozenset({shown} - {""})), labels_of)
    assert len(found) == 1
    assert fault in found[0]


def test_names_in_an_expression_are_found() -> None:
    names = names_in(
        'topk(5, sum by (le, view) (rate(a_total{x="by (z)", y!~"b|c"}[5m] offset 1d)) > on (view) 2 * b:c) or d'
    )
    assert names.selectors == [("a_total", frozenset({"x", "y"})), ("b:c", frozenset()), ("d", frozenset())]
    assert names.grouping == {"le", "view"}


@pytest.fixture
def exporter_labels(
    pgbouncer: servers.PgBouncer, redis_url: str, tmp_path: Path, db: None
) -> dict[str, frozenset[str]]:
    superuser_url = os.environ["HOTELAGENT_TEST_SUPERUSER_URL"]
    return labels_of_exporters(redis_url, superuser_url, tmp_path) | labels_of_pgbouncer(pgbouncer)


def test_queries_about_databases_name_metrics_of_running_exporters(
    exporter_labels: dict[str, frozenset[str]],
) -> None:
    queries = [query for query in queries_of_dashboards() + queries_of_rules() if uses_exporter(query)]
    assert len(queries) > 15
    assert [fault for query in queries for fault in faults_of(query, exporter_labels)] == []


def targets_of_jobs() -> dict[str, list[str]]:
    """Return the targets of each job of Prometheus."""
    text = (DEPLOY / "prometheus" / "prometheus.yml").read_text()
    return {
        job["job_name"]: [target for group in job["static_configs"] for target in group["targets"]]
        for job in yaml.safe_load(text)["scrape_configs"]
    }


def test_each_metric_has_a_job_whose_targets_are_services_of_compose() -> None:
    jobs = targets_of_jobs()
    names = {
        name
        for query in queries_of_dashboards() + queries_of_rules()
        for name, _labels in names_in(query.expression).selectors
        if name not in recorded_metrics() | PROMETHEUS.keys()
    }
    # The site exposes the same metrics at the web processes and at the metrics server of the worker.
    needed = {next((job for start, job in JOBS.items() if name.startswith(start)), "web") for name in names}
    assert needed | {"worker"} == set(jobs)
    services = yaml.safe_load((DEPLOY / "compose.yml").read_text())["services"]
    for job, targets in jobs.items():
        assert len(targets) == 1, job
        assert targets[0].split(":")[0] in services


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_dashboard_has_only_fields_of_grafanas_schema(path: Path) -> None:
    """Grafana's own types drop unknown fields when they read a dashboard, so a misspelt field is missing afterwards."""
    dashboard = json.loads(path.read_text())
    assert lost_fields(dashboard, grafana_version_of(dashboard)) == []
    misspelt = json.loads(path.read_text())
    misspelt["panels"][0]["gridpos"] = misspelt["panels"][0].pop("gridPos")
    assert lost_fields(misspelt, grafana_version_of(misspelt)) == [".panels[0].gridpos"]


def grafana_version_of(dashboard: dict[str, Any]) -> Any:
    return json.loads(json.dumps(Dashboard.from_json(dashboard), cls=JSONEncoder))


def lost_fields(written: Any, read: Any, place: str = "") -> list[str]:
    if isinstance(written, dict):
        return [
            fault
            for name, value in written.items()
            for fault in (
                lost_fields(value, read[name], f"{place}.{name}") if name in read else [f"{place}.{name}"]
            )
        ]
    if isinstance(written, list):
        assert len(written) == len(read), place
        return [
            fault
            for number, (value, other) in enumerate(zip(written, read, strict=True))
            for fault in lost_fields(value, other, f"{place}[{number}]")
        ]
    return [] if written == read else [f"{place}: {written!r} became {read!r}"]


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_panels_have_unique_ids_and_titles_and_do_not_overlap(path: Path) -> None:
    panels = json.loads(path.read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len({panel["title"] for panel in panels}) == len(panels)
    cells = [
        (x, y)
        for grid in (panel["gridPos"] for panel in panels)
        for x in range(grid["x"], grid["x"] + grid["w"])
        for y in range(grid["y"], grid["y"] + grid["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _y in cells) < 24
    assert all(panel["description"] and panel["type"] in {"timeseries", "stat", "table"} for panel in panels)


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_variables_and_data_sources_of_a_dashboard_exist(path: Path) -> None:
    text = path.read_text()
    dashboard = json.loads(text)
    variables = {variable["name"] for variable in dashboard["templating"]["list"]}
    expressions = "\n".join(query.expression for query in queries_of_dashboard(path.name, dashboard))
    titles = "\n".join(panel["title"] for panel in dashboard["panels"])
    assert set(re.findall(r"\$(\w+)", expressions + titles)) == variables
    provisioned = (DEPLOY / "grafana" / "provisioning" / "datasources" / "prometheus.yml").read_text()
    assert set(re.findall(r'"type": "prometheus",\s+"uid": "(\w+)"', text)) == {"prometheus"}
    assert "uid: prometheus" in provisioned
    assert dashboard["schemaVersion"] == 39


def test_each_subject_has_a_dashboard_with_a_unique_id() -> None:
    assert {path.stem for path in DASHBOARDS} == {
        "overview", "hotels", "queues", "holds", "reminders", "database",
    }  # fmt: skip
    uids = [json.loads(path.read_text())["uid"] for path in DASHBOARDS]
    assert len(set(uids)) == len(uids)
    assert Path(settings.BASE_DIR, "deploy", "compose.yml").read_text().count("./grafana/dashboards:") == 1
