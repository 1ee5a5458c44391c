"""The program of `make image`: builds the images, runs the deployment of compose.yml, and stops it gracefully.

Each step prints what was seen and how long it took. The program ends with exit code 1 at the first step that fails.
"""

import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.containers import building, checks, engine, story
from tests.containers.client import Client
from tests.containers.deployment import APPLICATION, SERVERS, Deployment
from tests.containers.engine import require
from tests.deploy import tools
from tests.embedded import checkout as checkouts

#: Texts that must not be in the image. Each is in a file that a machine with a deployment really has.
PLANTED = {
    "deploy/.env": b"planted-secret-in-env",
    "deploy/secrets/secret-key": b"planted-secret-in-secrets",
    ".hotelagent/audit.key": b"planted-secret-in-home",
    ".git/config": b"planted-secret-in-git",
}
IN_PIP = "planted-secret-in-pip-conf"
#: A text that is in a file of the image. The search must find it, or else it would find no secret either.
CONTROL = b"class LeadingScheduler"


def step(title: str, function: Callable[[], str]) -> None:
    started = time.monotonic()
    detail = function()
    print(f"ok   {time.monotonic() - started:6.1f} s  {title}: {detail}", flush=True)


def copy_checkout() -> Path:
    """Copy the checkout to .hotelagent/containers, and plant secrets that must not get into the image."""
    folder = engine.HOME / "checkout"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    checkouts.copy(folder)
    for name, text in PLANTED.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(text)
    return folder


def remove_planted(folder: Path) -> None:
    for name in PLANTED:
        (folder / name).unlink(missing_ok=True)


def search_for_secrets() -> str:
    texts = [*PLANTED.values(), IN_PIP.encode(), CONTROL]
    found = building.layers_with(building.APPLICATION, texts)
    require(CONTROL in found, "The search does not find the text of a file that is in the image.")
    require(found == {CONTROL}, f"The image contains secrets: {sorted(found - {CONTROL})}")
    return f"none of {len(texts) - 1} planted secrets is in a layer or in the configuration"


def run_deployment(deployment: Deployment) -> None:
    def start(*services: str) -> str:
        deployment.start(*services)
        return f"{', '.join(services)} are healthy"

    step("servers", lambda: start(*SERVERS) + "; " + start("pgbouncer"))
    step("migrate", lambda: deployment.run("python", "manage.py", "migrate").strip().splitlines()[-1])
    key = ("python", "manage.py", "audit_rotate_key", "/var/lib/hotelagent/audit.key")
    step("key of the audit trails", lambda: f"{len(deployment.run(*key).split())} words of output")
    step("application", lambda: start(*APPLICATION, "nginx"))
    step("monitoring", lambda: start("postgres-exporter", "valkey-exporter", "prometheus", "alertmanager"))
    step("processes", lambda: checks.check_process(deployment))
    step("database", lambda: checks.check_tls(deployment))
    clients: list[Client] = []

    def hotel() -> str:
        client, detail = story.create_hotel(deployment)
        clients.append(client)
        return detail

    step("hotel", hotel)
    client = clients[0]
    step("hold", lambda: story.hold_room(client))
    step("reminder", lambda: story.send_reminder(deployment, client))
    step("metrics", lambda: checks.check_monitoring(deployment))
    step("stop the worker", lambda: story.stop_worker_while_it_sends(deployment, client))
    step("stop web", lambda: story.stop_web_during_a_request(deployment, client))
    step("stop the rest", lambda: story.stop_all(deployment))


def main() -> int:
    missing = engine.missing_programs()
    if missing:
        print(
            f"Missing: {', '.join(missing)}. Install them: apt-get install {' '.join(missing)}",
            file=sys.stderr,
        )
        return 1
    started = time.monotonic()
    tools.install()
    print(f"Images and containers are in {engine.HOME}, storage driver {engine.prepare()}.", flush=True)
    folder = copy_checkout()
    deployment = Deployment(folder)
    try:
        step("base images", building.pull_or_build_bases)
        step("images of the servers", building.pull_or_build_servers)
        step("image of the application", lambda: building.build_application(folder, IN_PIP))
        step("secrets", search_for_secrets)
        building.build_pooler(folder)
        remove_planted(folder)
        deployment.prepare()
        deployment.remove()  # left by a run that was killed
        run_deployment(deployment)
    except engine.ContainerError as error:
        print(f"FAILED: {error}", file=sys.stderr)
        return 1
    finally:
        deployment.remove()
    print(f"make image: everything succeeded after {time.monotonic() - started:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
