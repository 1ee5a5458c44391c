"""What deploy/ says and what the code knows are the same words."""

import json
import re
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import get_commands
from prometheus_client import REGISTRY

from hotelagent.monitoring.health import HealthMiddleware

ROOT = Path(settings.BASE_DIR)
DEPLOY = ROOT / "deploy"
KUBERNETES = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
STARTS = [DEPLOY / "compose.yml", DEPLOY / "Dockerfile", *KUBERNETES]
METRIC = re.compile(r"\bhotelagent_[a-z_]+\b(?!\.)")

# Read by others than our settings: Django, gunicorn, Celery, prometheus_client, and compose's own database.
OTHERS = {
    "DJANGO_SETTINGS_MODULE",
    "WEB_CONCURRENCY",
    "REMAP_SIGTERM",
    "PROMETHEUS_MULTIPROC_DIR",
    "POSTGRES_PASSWORD",
    "RUNTIME_PASSWORD",
}


def _read_by_settings() -> set[str]:
    texts = [path.read_text() for path in (ROOT / "hotelagent" / "settings").glob("*.py")]
    return set(re.findall(r"""\benv(?:\.\w+)?\(\s*"([A-Z_]+)\"""", "\n".join(texts)))


def _demanded() -> set[str]:
    text = (ROOT / "hotelagent" / "settings" / "production.py").read_text()
    return set(re.findall(r'^    "([A-Z_]+)": ', text, re.MULTILINE))


def _offered() -> set[str]:
    return set(re.findall(r"^([A-Z_]+)=", (DEPLOY / "example.env").read_text(), re.MULTILINE))


def test_the_example_offers_nothing_that_nobody_reads() -> None:
    assert _offered() - _read_by_settings() == _offered() & OTHERS


def test_the_example_asks_for_all_that_production_demands() -> None:
    assert _demanded()
    assert _demanded() <= _offered()


def test_the_example_leaves_no_setting_of_a_deployment_unsaid() -> None:
    of_development = {"DEBUG", "MAIL_PORT", "ALLOWED_HOSTS", "PORT", "DATABASE_ROLES", "DATABASE_ROLE_PREFIX"}
    assert _read_by_settings() - _offered() <= of_development


@pytest.mark.parametrize(
    "path", [DEPLOY / "prometheus" / "alerts.yml", DEPLOY / "grafana" / "hotelagent.json"]
)
def test_every_metric_exists(path: Path) -> None:
    named = set(METRIC.findall(path.read_text()))
    known = set(REGISTRY._names_to_collectors)
    assert named
    assert named <= known, sorted(named - known)


def test_every_alert_leads_to_a_heading_of_the_runbook() -> None:
    headings = re.findall(r"^## (.+)$", (DEPLOY / "runbook.md").read_text(), re.MULTILINE)
    anchors = {heading.lower().replace(" ", "-").replace(",", "") for heading in headings}
    led = re.findall(r"runbook\.md#([\w-]+)", (DEPLOY / "prometheus" / "alerts.yml").read_text())
    assert led
    assert set(led) <= anchors


def test_the_dashboard_names_each_panel_once() -> None:
    panels = json.loads((DEPLOY / "grafana" / "hotelagent.json").read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len({panel["title"] for panel in panels}) == len(panels)


def test_every_command_exists() -> None:
    known = get_commands()
    for path in [*STARTS, DEPLOY / "runbook.md"]:
        text = path.read_text()
        for command in re.findall(r"manage\.py[,\s]+([a-z_]+)", text):
            assert command in known, f"{path.name}: {command}"


def test_every_probe_is_answered() -> None:
    probes = HealthMiddleware(lambda _request: None).probes  # type: ignore[arg-type,return-value]
    asked = re.findall(r"/health/\w+|(?<=path: )/metrics", "\n".join(path.read_text() for path in STARTS))
    assert asked
    assert set(asked) <= set(probes)


def test_the_image_has_every_app() -> None:
    copied = set(re.findall(r"^COPY (\w+) \1$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE))
    ignored_but = set(re.findall(r"^!(\w+)$", (DEPLOY / "Dockerfile.dockerignore").read_text(), re.MULTILINE))
    ours = {app for app in settings.INSTALLED_APPS if (ROOT / app).is_dir()}
    assert copied == ignored_but == ours


def test_pgbouncer_lends_a_connection_for_one_transaction() -> None:
    ini = (DEPLOY / "pgbouncer" / "pgbouncer.ini").read_text()
    assert re.search(r"^pool_mode = transaction$", ini, re.MULTILINE)
    # Newer than 1.18, the oldest that we promise to work with.
    assert not re.search(r"^(max_prepared_statements|track_extra_parameters)\b", ini, re.MULTILINE)
