"""Functions that run podman and buildah with images, containers and networks in .hotelagent/containers.

Images and containers of this machine are not used and not changed.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from hotelagent.embedded import paths

HOME = paths.HOME / "containers"
PROGRAMS = ("buildah", "podman", "runc", "debootstrap")
#: Ordinary users of a container may have no more files and processes than this. The default values of podman are higher
#: than the limits of some machines, where containers would not start.
_CONTAINERS = """\
[containers]
default_ulimits = ["nofile=20000:20000", "nproc=4096:4096"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
[network]
network_config_dir = "{home}/networks"
"""
_STORAGE = """\
[storage]
driver = "{driver}"
graphroot = "{home}/storage"
runroot = "{home}/run"
"""


class ContainerError(RuntimeError):
    """A command of podman or buildah failed. The message contains its output."""


def require(condition: object, message: str) -> None:
    """Raise ContainerError with the message unless the condition is true."""
    if not condition:
        raise ContainerError(message)


def prepare() -> str:
    """Create the folder with the configuration, and return the name of the storage driver.

    The driver is overlay, or vfs where the folder is itself on an overlay file system. vfs copies images completely.
    """
    (HOME / "networks").mkdir(parents=True, exist_ok=True)
    file_system = subprocess.run(
        ["stat", "--file-system", "--format", "%T", HOME], capture_output=True, text=True, check=True
    ).stdout.strip()
    driver = "vfs" if file_system.startswith("overlay") else "overlay"
    (HOME / "containers.conf").write_text(_CONTAINERS.format(home=HOME))
    (HOME / "storage.conf").write_text(_STORAGE.format(home=HOME, driver=driver))
    return driver


def missing_programs() -> list[str]:
    path = f"{os.environ.get('PATH', '')}:/usr/sbin"
    return [program for program in PROGRAMS if shutil.which(program, path=path) is None]


def environment(**variables: str) -> dict[str, str]:
    """Return the environment variables of podman and buildah, and the additional variables."""
    return {
        "PATH": f"{os.environ['PATH']}:/usr/sbin",
        "HOME": os.environ.get("HOME", "/root"),
        "CONTAINERS_CONF": str(HOME / "containers.conf"),
        "CONTAINERS_STORAGE_CONF": str(HOME / "storage.conf"),
        # Without systemd, podman could not create the timers of health checks. The deployment runs the checks itself.
        "DISABLE_HC_SYSTEMD": "true",
        **variables,
    }


def run(
    *command: str | Path, timeout: float, folder: Path | None = None, **variables: str
) -> "subprocess.CompletedProcess[str]":
    """Run the command, and return its result whatever the exit code is. The timeout is in seconds."""
    return subprocess.run(
        command, cwd=folder, env=environment(**variables), timeout=timeout, capture_output=True, text=True,
        check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def output_of(*command: str | Path, timeout: float = 120, folder: Path | None = None) -> str:
    """Run the command and return its output. Raises ContainerError if it fails."""
    done = run(*command, timeout=timeout, folder=folder)
    if done.returncode:
        shown = " ".join(str(part) for part in command)
        raise ContainerError(f"{shown}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}")
    return done.stdout


def image_exists(name: str) -> bool:
    return run("podman", "image", "exists", name, timeout=60).returncode == 0


def inspect(kind: str, name: str) -> dict[str, Any]:
    """Return the description of an image or a container, by podman's command `inspect`."""
    described: list[dict[str, Any]] = json.loads(output_of("podman", kind, "inspect", name))
    return described[0]
