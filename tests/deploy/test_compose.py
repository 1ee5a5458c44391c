"""Tests of the compose files, which podman-compose merges and a parser of the Compose specification checks.

The parser of the specification refuses unknown keys and invalid values. `make image` runs the services.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from hotelagent.embedded import paths
from hotelagent.settings.environment import SECRETS
from tests.deploy import tools

DEPLOY = paths.CHECKOUT / "deploy"
FILES = ("compose.yml", "compose.production.yml")
#: The service whose process ends after the migration, so that it needs no health check.
ONE_SHOT = "migrate"


def merge(folder: Path, *files: str) -> str:
    """Return the compose files as one YAML document, as podman-compose merges them."""
    shutil.copy(DEPLOY / "example.env", folder / ".env")
    for name in FILES:
        shutil.copy(DEPLOY / name, folder)
    options = [option for name in files for option in ("-f", name)]
    done = subprocess.run(
        [sys.executable, tools.FOLDER / "podman_compose.py", *options, "config"],
        cwd=folder, env={"PYTHONPATH": str(tools.FOLDER), "PATH": "/usr/bin:/bin"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def problem_of(document: str) -> str:
    """Return why the document does not conform to the Compose specification, or an empty text."""
    program = (
        "import sys, compose_spec\ntry: compose_spec.PyCompose.from_yaml(sys.stdin.read())\n"
        "except ValueError as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=document, env={"PYTHONPATH": str(tools.FOLDER)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the document of a production deployment."""
    tools.require_installed()
    return merge(tmp_path_factory.mktemp("compose"), *FILES)


@pytest.fixture(scope="module")
def services(production: str) -> dict[str, dict[str, Any]]:
    """Return the services of a production deployment by name."""
    found: dict[str, dict[str, Any]] = yaml.safe_load(production)["services"]
    return found


def test_compose_files_conform_to_the_compose_specification(production: str, tmp_path: Path) -> None:
    assert problem_of(production) == ""
    assert problem_of(merge(tmp_path, "compose.yml")) == ""


@pytest.mark.parametrize(
    ("correct", "wrong"),
    [
        ("restart: unless-stopped", "restar: unless-stopped"),
        ("condition: service_healthy", "condition: service_heathy"),
        ("memory: 128M", "memory: 128Q"),
        ("interval: 5s", "interval: 5parsecs"),
    ],
)
def test_mistake_in_a_compose_file_is_found(correct: str, wrong: str, production: str) -> None:
    assert correct in production
    assert problem_of(production.replace(correct, wrong, 1))


def test_all_parts_of_a_deployment_are_services(services: dict[str, dict[str, Any]]) -> None:
    assert set(services) == {
        "alertmanager", "beat", "flower", "grafana", "jaeger", "migrate", "nginx", "pgbouncer", "postgres",
        "prometheus", "valkey", "web", "worker", "worker-metrics",
        "pgbouncer-exporter", "postgres-exporter", "valkey-exporter",
    }  # fmt: skip


def test_each_service_has_a_health_check_limits_and_rotated_logs(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        limits = service["deploy"]["resources"]["limits"]
        assert float(limits["cpus"]) > 0, name
        assert re.fullmatch(r"\d+[MG]", limits["memory"]), name
        assert {"max-size", "max-file"} <= service["logging"]["options"].keys(), name
        assert service.get("restart") in {"unless-stopped", "on-failure"}, name
        if name == ONE_SHOT:
            assert service["healthcheck"] == {"disable": True}
        else:
            assert service["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}, name


def test_limits_of_memory_fit_the_machine_that_the_file_names(services: dict[str, dict[str, Any]]) -> None:
    named = re.search(r"(\d+) GB of memory", (DEPLOY / "compose.production.yml").read_text())
    assert named
    sizes = [service["deploy"]["resources"]["limits"]["memory"] for service in services.values()]
    assert sum(int(size[:-1]) * (1024 if size.endswith("G") else 1) for size in sizes) <= int(named[1]) * 1024


def test_secrets_are_files_and_not_environment_variables(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        environment = service.get("environment", {})
        assert not [
            variable
            for variable in environment
            if variable in SECRETS or re.search(r"(PASSWORD|TOKEN|SECRET)$", variable)
        ], name
        assert "RUNTIME_PASSWORD" not in str(service.get("command")), name


def test_processes_of_the_application_are_ordinary_users_with_a_read_only_file_system(
    services: dict[str, dict[str, Any]],
) -> None:
    assert re.search(r"^USER [1-9]\d+$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
    own = [service for service in services.values() if service["image"].startswith("hotelagent")]
    assert len(own) == 7
    for service in own:
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]


def test_only_nginx_has_public_ports(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        for port in service.get("ports", []):
            assert name == "nginx" or port.startswith("127.0.0.1:"), (name, port)
    assert services["nginx"]["ports"] == ["80:80", "443:443"]


def test_create_secrets_creates_each_file_that_compose_mounts_and_keeps_existing_files(
    production: str, tmp_path: Path
) -> None:
    script = shutil.copy(DEPLOY / "create-secrets.sh", tmp_path)
    url = "smtp+tls://user:password@smtp.example:587"
    command = ["sh", script, "hotels.example"]
    subprocess.run(command, env={"PATH": "/usr/bin:/bin", "EMAIL_URL": url}, check=True, capture_output=True)
    folder = tmp_path / "secrets"
    assert folder.stat().st_mode & 0o777 == 0o700
    mounted = {Path(secret["file"]).name for secret in yaml.safe_load(production)["secrets"].values()}
    first = {file.name: file.read_bytes() for file in folder.iterdir()}
    assert first.keys() - mounted == {"internal-ca-key"}
    assert mounted <= first.keys()
    assert first["email-url"].decode().strip() == url
    values = [
        first[name] for name in ("secret-key", "metrics-token", "postgres-password", "runtime-password")
    ]
    assert len(set(values)) == 4
    assert min(map(len, values)) > 50
    again = subprocess.run(command, env={"PATH": "/usr/bin:/bin"}, check=True, capture_output=True, text=True)
    assert again.stdout == ""
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == first
    (folder / "metrics-token").unlink()
    subprocess.run(command, env={"PATH": "/usr/bin:/bin"}, check=True, capture_output=True)
    assert (folder / "metrics-token").read_bytes() != first["metrics-token"]


@pytest.mark.parametrize("server", ["postgres", "pgbouncer"])
def test_certificates_of_create_secrets_are_valid_for_their_server_only(server: str, tmp_path: Path) -> None:
    script = shutil.copy(DEPLOY / "create-secrets.sh", tmp_path)
    environment = {"PATH": "/usr/bin:/bin", "EMAIL_URL": "smtp://mail:25"}
    subprocess.run(["sh", script, "hotels.example"], env=environment, check=True, capture_output=True)

    def is_valid_for(host: str) -> bool:
        command = [
            "openssl",
            "verify",
            "-CAfile",
            "internal-ca",
            "-verify_hostname",
            host,
            f"{server}-certificate",
        ]
        return not subprocess.run(
            command, cwd=tmp_path / "secrets", check=False, capture_output=True
        ).returncode

    assert is_valid_for(server)
    assert not is_valid_for("nobody")
