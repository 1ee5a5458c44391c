"""A deployment with compose.yml and compose.production.yml, which podman-compose runs."""

import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hotelagent.embedded import ports
from tests.containers import engine
from tests.containers.building import MAIL_IMAGE
from tests.deploy import tools

HOST = "hotels.example"
SERVERS = ("postgres", "valkey", "mail")
APPLICATION = ("web", "worker", "worker-metrics", "beat")
#: Stopped in this order: first what receives requests and tasks, then the servers that the processes need.
STOP_ORDER = ("nginx", "web", "beat", "worker", "worker-metrics", "pgbouncer", "valkey", "postgres")
FILES = ("compose.yml", "compose.production.yml", "local.yml")
#: Seconds until a service must be healthy. Two cores start all processes of the application at the same time.
HEALTHY_TIMEOUT = 180.0
#: The ports are on the loopback address. Jaeger and Grafana have no Debian package, so no traces are sent.
LOCAL = """\
services:
  web: {{ environment: {{ OTEL_EXPORTER_OTLP_ENDPOINT: "" }} }}
  worker: {{ environment: {{ OTEL_EXPORTER_OTLP_ENDPOINT: "" }} }}
  beat: {{ environment: {{ OTEL_EXPORTER_OTLP_ENDPOINT: "" }} }}
  migrate: {{ environment: {{ OTEL_EXPORTER_OTLP_ENDPOINT: "" }} }}
  nginx: {{ ports: !override ["127.0.0.1:{http}:80", "127.0.0.1:{https}:443"] }}
  prometheus: {{ ports: !override ["127.0.0.1:{prometheus}:9090"] }}
  alertmanager: {{ ports: !override ["127.0.0.1:{alertmanager}:9093"] }}
  mail: {{ image: {mail} }}
"""


@dataclass
class Deployment:
    """A copy of deploy/ in the folder, with secrets and certificates, and the project of podman-compose."""

    checkout: Path
    ports: Mapping[str, int] = field(
        default_factory=lambda: {
            name: ports.find_free_port() for name in ("http", "https", "prometheus", "alertmanager")
        }
    )
    project: str = "hotelagent-containers"

    @property
    def folder(self) -> Path:
        return self.checkout / "deploy"

    def prepare(self) -> None:
        """Create the secrets, the certificates and the environment file."""
        subprocess.run(
            ["sh", "create-secrets.sh", HOST],
            cwd=self.folder, env=engine.environment(EMAIL_URL="smtp://mail:25"), check=True, capture_output=True,
        )  # fmt: skip
        shutil.copy(self.folder / "example.env", self.folder / ".env")
        (self.folder / "local.yml").write_text(LOCAL.format(mail=MAIL_IMAGE, **self.ports))

    def compose(self, *arguments: str, timeout: float = 300) -> "subprocess.CompletedProcess[str]":
        options = [option for name in FILES for option in ("-f", name)]
        program = (sys.executable, tools.FOLDER / "podman_compose.py")
        return engine.run(
            *program, "-p", self.project, *options, *arguments,
            timeout=timeout, folder=self.folder, PYTHONPATH=str(tools.FOLDER),
        )  # fmt: skip

    def start(self, *services: str) -> None:
        """Start the services, and wait until their health checks succeed."""
        done = self.compose("up", "-d", "--no-deps", "--no-build", *services)
        if done.returncode:
            raise engine.ContainerError(done.stdout[-2000:] + done.stderr[-4000:])
        for service in services:
            self.wait_until_healthy(service)

    def run(self, *command: str, timeout: float = 300) -> str:
        """Run the command in a new container of the service `migrate`, and return its output."""
        done = self.compose("run", "--rm", "--no-deps", "-T", "migrate", *command, timeout=timeout)
        if done.returncode:
            raise engine.ContainerError(done.stdout[-4000:] + done.stderr[-4000:])
        return done.stdout

    def container(self, service: str) -> str:
        return f"{self.project}_{service}_1"

    def execute(self, service: str, *command: str, timeout: float = 120) -> str:
        """Run the command in the running container of the service, and return its output."""
        return engine.output_of("podman", "exec", self.container(service), *command, timeout=timeout)

    def wait_until_healthy(self, service: str) -> None:
        if not engine.inspect("container", self.container(service))["Config"].get("Healthcheck"):
            return
        deadline = time.monotonic() + HEALTHY_TIMEOUT
        command = ("podman", "healthcheck", "run", self.container(service))
        while engine.run(*command, timeout=60).returncode:
            if time.monotonic() > deadline:
                raise engine.ContainerError(f"{service} is not healthy:\n{self.logs(service)}")
            time.sleep(0.5)

    def logs(self, service: str) -> str:
        done = engine.run("podman", "logs", "--tail", "60", self.container(service), timeout=60)
        return done.stdout + done.stderr

    def stop(self, service: str) -> tuple[int, float]:
        """Stop the service with its stop signal. Return its exit code, and the number of seconds until it ended.

        The exit code is 137 if the service was killed, because it did not end within its grace period.
        """
        started = time.monotonic()
        # podman itself does not know the grace period of the compose file.
        done = self.compose("stop", service)
        if done.returncode:
            raise engine.ContainerError(done.stdout[-2000:] + done.stderr[-4000:])
        seconds = time.monotonic() - started
        return int(engine.inspect("container", self.container(service))["State"]["ExitCode"]), seconds

    def remove(self) -> None:
        """Remove the containers, the volumes and the network of this project."""
        self.compose("down", "--volumes", "--timeout", "1")
