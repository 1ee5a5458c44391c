"""Tests of the references in the files of deploy/.

The environment variables, metrics, management commands, runbook sections and apps that the files name must exist.
"""

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import get_commands

from hotelagent.monitoring.health import HealthMiddleware
from tests.deploy.promql import RULES, own_labels

ROOT = Path(settings.BASE_DIR)
DEPLOY = ROOT / "deploy"
KUBERNETES = sorted((DEPLOY / "kubernetes").rglob("*.yaml"))
PROCESS_FILES = [DEPLOY / "compose.yml", DEPLOY / "Dockerfile", *KUBERNETES]
METRIC = re.compile(r"\b(?:hotelagent|dlq)_[a-z_]+\b(?!\.)")

#: Environment variables that Django, gunicorn, Celery or prometheus_client reads.
OTHER_VARIABLES = {
    "DJANGO_SETTINGS_MODULE",
    "WEB_CONCURRENCY",
    "REMAP_SIGTERM",
    "PROMETHEUS_MULTIPROC_DIR",
}


def variables_of_settings() -> set[str]:
    texts = [path.read_text() for path in (ROOT / "hotelagent" / "settings").glob("*.py")]
    return set(re.findall(r"""\benv(?:\.\w+)?\(\s*"([A-Z_]+)\"""", "\n".join(texts)))


def required_variables() -> set[str]:
    text = (ROOT / "hotelagent" / "settings" / "production.py").read_text()
    return set(re.findall(r'^    "([A-Z_]+)": ', text, re.MULTILINE))


def variables_of_example() -> set[str]:
    return set(re.findall(r"^([A-Z_]+)=", (DEPLOY / "example.env").read_text(), re.MULTILINE))


def test_environment_variables_in_the_example_file_are_read_by_the_settings() -> None:
    assert variables_of_example() - variables_of_settings() == variables_of_example() & OTHER_VARIABLES


def test_example_file_contains_the_required_environment_variables() -> None:
    assert required_variables()
    assert required_variables() <= variables_of_example()


def test_example_file_contains_all_environment_variables_of_a_deployment() -> None:
    development_only = {
        "DEBUG",
        "MAIL_PORT",
        "ALLOWED_HOSTS",
        "PORT",
        "DATABASE_ROLES",
        "DATABASE_ROLE_PREFIX",
    }
    assert variables_of_settings() - variables_of_example() <= development_only


@pytest.mark.parametrize(
    "path",
    [
        DEPLOY / "kubernetes" / "prometheus-adapter.yaml",
        DEPLOY / "kubernetes" / "base" / "autoscaling.yaml",
    ],
)
def test_metrics_named_in_kubernetes_files_exist(path: Path) -> None:
    named = set(METRIC.findall(path.read_text()))
    known = set(own_labels())
    assert named
    assert named <= known, sorted(named - known)


def test_alerts_link_to_existing_sections_of_the_runbook() -> None:
    headings = re.findall(r"^## (.+)$", (DEPLOY / "runbook.md").read_text(), re.MULTILINE)
    anchors = {heading.lower().replace(" ", "-").replace(",", "") for heading in headings}
    linked = re.findall(r"runbook\.md#([\w-]+)", "\n".join(path.read_text() for path in RULES))
    assert linked
    assert set(linked) <= anchors


def test_management_commands_named_in_process_files_and_runbook_exist() -> None:
    known = get_commands()
    for path in [*PROCESS_FILES, DEPLOY / "runbook.md"]:
        text = path.read_text()
        for command in re.findall(r"manage\.py[,\s]+([a-z_]+)", text):
            assert command in known, f"{path.name}: {command}"


def test_health_check_urls_named_in_process_files_exist() -> None:
    probes = HealthMiddleware(lambda _request: None).probes  # type: ignore[arg-type,return-value]
    requested = re.findall(
        r"/health/\w+|(?<=path: )/metrics", "\n".join(path.read_text() for path in PROCESS_FILES)
    )
    assert requested
    assert set(requested) <= set(probes)


def test_docker_image_contains_all_apps_of_the_project() -> None:
    copied = set(re.findall(r"^COPY (\w+) \1$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE))
    not_ignored = set(re.findall(r"^!(\w+)$", (DEPLOY / "Dockerfile.dockerignore").read_text(), re.MULTILINE))
    own_apps = {app for app in settings.INSTALLED_APPS if (ROOT / app).is_dir()}
    assert copied == not_ignored == own_apps


def test_pgbouncer_ini_has_transaction_mode_and_works_with_pgbouncer_1_18() -> None:
    ini = (DEPLOY / "pgbouncer" / "pgbouncer.ini").read_text()
    assert re.search(r"^pool_mode = transaction$", ini, re.MULTILINE)
    # These options are newer than PgBouncer 1.18, the oldest supported version.
    assert not re.search(r"^(max_prepared_statements|track_extra_parameters)\b", ini, re.MULTILINE)
