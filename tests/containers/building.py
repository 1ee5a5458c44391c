"""The builds of the images: base images, the servers of compose.yml, and the images of this repository.

If the container registry is not reachable, stand-ins are built from Debian packages, under the names of the images.
"""

import re
import shutil
import ssl
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

from hotelagent.embedded import paths
from tests.containers import engine

STAND_INS = Path(__file__).parent / "stand_ins"
SUITE = "trixie"
MIRROR = "http://deb.debian.org/debian"
BASES = ("docker.io/library/debian:trixie-slim", "docker.io/library/python:3.13-slim-trixie")
#: Maps each server in stand_ins/servers.Containerfile to the image of compose.yml.
SERVERS = {
    "postgres": "docker.io/library/postgres:18",
    "valkey": "docker.io/valkey/valkey:9",
    "nginx": "docker.io/library/nginx:1.28-alpine",
    "prometheus": "docker.io/prom/prometheus:v3.5.0",
    "alertmanager": "docker.io/prom/alertmanager:v0.28.1",
    "postgres-exporter": "quay.io/prometheuscommunity/postgres-exporter:v0.17.1",
    "valkey-exporter": "docker.io/oliver006/redis_exporter:v1.74.0-alpine",
}
MAIL_IMAGE = "localhost/mail"
APPLICATION = "localhost/hotelagent"
POOLER = "localhost/hotelagent-pgbouncer"
#: The versions of PostgreSQL in the official image and in Debian. The image needs pg_dump of the server's version.
OFFICIAL_POSTGRESQL, DEBIAN_POSTGRESQL = "18", "17"
#: The label of images that were built here instead of pulled.
STAND_IN_LABEL = "hotelagent.stand-in"
BUILD = ("buildah", "bud", "--isolation", "chroot", "--layers", "--quiet")
#: pip's options that lead to the package index of this machine.
PIP_OPTIONS = {"cert", "extra-index-url", "find-links", "index-url", "no-index", "proxy", "trusted-host"}


def pull_or_build_bases() -> str:
    """Provide the base images, and return where they are from."""
    if all(map(engine.image_exists, BASES)):
        return "present from an earlier run"
    if all(engine.run("podman", "pull", "-q", name, timeout=300).returncode == 0 for name in BASES):
        return "pulled"
    root = engine.HOME / "debian"
    shutil.rmtree(root, ignore_errors=True)
    engine.output_of(
        "debootstrap", "--variant=minbase", "--include=ca-certificates,python3,python3-venv", SUITE, root, MIRROR,
        timeout=1800,
    )  # fmt: skip
    archive = engine.HOME / "debian.tar"
    excluded = [f"--exclude=./var/{name}/*" for name in ("cache/apt", "lib/apt/lists", "log")]
    engine.output_of("tar", "-C", root, *excluded, "-cf", archive, ".", timeout=300)
    shutil.rmtree(root)
    debian, python = BASES
    label = f"LABEL {STAND_IN_LABEL}=true"
    engine.output_of("podman", "import", "--quiet", "--change", label, archive, debian, timeout=300)
    archive.unlink()
    containerfile = f"FROM {debian}\nRUN ln -s python3 /usr/bin/python\n"
    with_file = engine.HOME / "python.Containerfile"
    with_file.write_text(containerfile)
    engine.output_of(*BUILD, "-t", python, "-f", with_file, STAND_INS, timeout=300)
    return f"stand-ins by debootstrap ({SUITE}), because the registry is not reachable"


def pull_or_build_servers() -> str:
    """Provide the images of the servers and of a mail server, and return where they are from."""
    pulled = [name for name in SERVERS.values() if not _is_stand_in_needed(name)]
    targets = {target: name for target, name in SERVERS.items() if name not in pulled}
    for target, name in {**targets, "mail": MAIL_IMAGE}.items():
        engine.output_of(
            *BUILD, "--label", f"{STAND_IN_LABEL}=true", "--target", target, "-t", name,
            "-f", STAND_INS / "servers.Containerfile", STAND_INS, timeout=1800,
        )  # fmt: skip
    return f"{len(pulled)} pulled, stand-ins from Debian packages: {', '.join([*targets, 'mail'])}"


def _is_stand_in_needed(name: str) -> bool:
    if engine.image_exists(name):
        return _is_stand_in(name)
    if _is_stand_in(BASES[0]):
        return True  # the registry was not reachable a moment ago
    return engine.run("podman", "pull", "-q", name, timeout=300).returncode != 0


def _is_stand_in(name: str) -> bool:
    labels = engine.inspect("image", name).get("Labels") or {}
    return STAND_IN_LABEL in labels


def build_application(checkout: Path, secret: str) -> str:
    """Build the image of the web processes, workers and beat, and return its size.

    The text `secret` is in the configuration that pip reads during the build.
    """
    options, mounts = pip_configuration()
    configuration = engine.HOME / "pip.conf"
    paths.write_private_file(configuration, f"# {secret}\n[global]\n{options}")
    authority = engine.HOME / "ca.crt"
    shutil.copy(_authorities(), authority)
    version = DEBIAN_POSTGRESQL if _is_stand_in(SERVERS["postgres"]) else OFFICIAL_POSTGRESQL
    engine.output_of(
        *BUILD, "--ignorefile", checkout / "deploy/Dockerfile.dockerignore",
        "--secret", f"id=pip,src={configuration}", "--secret", f"id=ca,src={authority}",
        *(f"--volume={folder}:{folder}:ro" for folder in mounts),
        "--build-arg", f"POSTGRESQL={version}", "-f", checkout / "deploy/Dockerfile", "-t", APPLICATION, checkout,
        timeout=1800,
    )  # fmt: skip
    configuration.unlink()
    image = engine.inspect("image", APPLICATION)
    base = engine.inspect("image", BASES[1])
    return f"{image['Size'] / 1e6:.0f} MB, of which {base['Size'] / 1e6:.0f} MB are the base image"


def build_pooler(checkout: Path) -> None:
    engine.output_of(*BUILD, "-t", POOLER, checkout / "deploy/pgbouncer", timeout=900)


def pip_configuration() -> tuple[str, list[str]]:
    """Return pip's options on this machine as lines of a configuration file, and the local folders that they name."""
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True
    ).stdout
    values = {
        match[1]: match[2]
        for match in re.finditer(r"^(?:global|:env:)\.([\w-]+)='(.*)'$", listed, re.MULTILINE)
    }
    values = {name: value for name, value in values.items() if name in PIP_OPTIONS}
    folders = [
        folder
        for name in ("index-url", "extra-index-url", "find-links")
        for folder in (part.removeprefix("file://") for part in values.get(name, "").split())
        if Path(folder).is_dir()
    ]
    # An index at /opt/packages/simple refers to files at /opt/packages/files.
    mounts = [str(Path(folder).parent) if Path(folder).name == "simple" else folder for folder in folders]
    values["cert"] = "/run/ca.crt"
    return "".join(f"{name} = {value}\n" for name, value in values.items()), sorted(set(mounts))


def _authorities() -> Path:
    """Return the file with the certificate authorities that this machine trusts."""
    found = ssl.get_default_verify_paths()
    return Path(found.cafile or found.openssl_cafile)


def layers_with(image: str, texts: list[bytes]) -> set[bytes]:
    """Return those of the texts that a file in any layer of the image contains, or the image's configuration."""
    archive = engine.HOME / "image.tar"
    archive.unlink(missing_ok=True)
    engine.output_of(
        "podman", "save", "--quiet", "--format", "docker-archive", "-o", archive, image, timeout=600
    )
    found = {text for content in _contents(archive) for text in texts if text in content}
    archive.unlink()
    return found


def _contents(archive: Path) -> Iterator[bytes]:
    with tarfile.open(archive) as outer:
        for member in outer:
            file = outer.extractfile(member) if member.isfile() else None
            if file is None:
                continue
            if not member.name.endswith(".tar"):
                yield file.read()
                continue
            with tarfile.open(fileobj=file) as layer:
                for entry in layer:
                    content = layer.extractfile(entry) if entry.isfile() else None
                    yield entry.name.encode() + b"\0" + (content.read() if content else b"")
