"""Checks of a running deployment: the rights of its processes, the connection to the database, and the monitoring."""

import json
import re
import time
import urllib.request
from typing import Any

from tests.containers import engine
from tests.containers.deployment import APPLICATION, Deployment
from tests.containers.engine import require

#: The target of Prometheus that does not run: no Debian package contains the exporter of PgBouncer.
WITHOUT_PACKAGE = "pgbouncer"


def check_process(deployment: Deployment) -> str:
    for service in APPLICATION:
        user = deployment.execute(service, "id", "-u").strip()
        require(user == "10001", f"{service} runs as the user {user}.")
        touched = engine.run(
            "podman", "exec", deployment.container(service), "touch", "/app/file", timeout=60
        )
        require("Read-only file system" in touched.stderr, f"{service} can write to /app: {touched.stderr}")
        variables = deployment.execute(service, "env")
        require(
            not re.search(r"^(SECRET_KEY|DATABASE_URL|REDIS_URL)=.", variables, re.MULTILINE),
            f"{service} has a secret in its environment.",
        )
    return f"{', '.join(APPLICATION)} are user 10001, cannot write to /app, and have no secret in the environment"


def check_tls(deployment: Deployment) -> str:
    """Check that the connection to the database is verified, and that one without TLS is refused."""
    program = (
        "import django; django.setup()\n"
        "from django.db import connection\nfrom tenants.context import platform_context\n"
        "with platform_context(), connection.cursor() as c:\n"
        "    c.execute('SELECT version()'); print(c.fetchone()[0].split()[1])\n"
        "print(connection.settings_dict['OPTIONS']['sslmode'])"
    )
    version, mode = deployment.execute("web", "python", "-c", program).split()
    require(mode == "verify-full", f"sslmode is {mode}.")
    password = (deployment.folder / "secrets/postgres-password").read_text().strip()
    plain = f"host=postgres user=owner dbname=hotelagent password={password} sslmode=disable"
    refused = engine.run(
        "podman", "exec", deployment.container("web"), "psql", plain, "-c", "SELECT 1", timeout=60
    )
    require(refused.returncode and "no encryption" in refused.stderr, f"Without TLS: {refused.stderr}")
    return f"PostgreSQL {version} through PgBouncer with sslmode=verify-full; a connection without TLS is refused"


def check_monitoring(deployment: Deployment) -> str:
    """Check that Prometheus reads all targets that run, and has each metric of the dashboard of the servers."""
    url = f"http://127.0.0.1:{deployment.ports['prometheus']}/api/v1"
    dashboard = (deployment.folder / "grafana/dashboards/database.json").read_text()
    expected = set(re.findall(r"\b(?:pg|redis)_\w+", dashboard))

    def get(path: str) -> Any:
        with urllib.request.urlopen(f"{url}/{path}", timeout=30) as response:  # noqa: S310 - this machine
            return json.load(response)["data"]

    deadline = time.monotonic() + 120
    while True:
        targets = get("targets?state=active")["activeTargets"]
        health = {target["labels"]["job"]: target["health"] for target in targets}
        del health[WITHOUT_PACKAGE]
        missing = expected - set(get("label/__name__/values"))
        if set(health.values()) == {"up"} and not missing:
            return f"Prometheus reads {', '.join(sorted(health))}; {len(expected)} metrics of the exporters are present"
        require(
            time.monotonic() < deadline,
            f"{missing} {[(t['labels'], t['health'], t['lastError']) for t in targets]}",
        )
        time.sleep(2)
