"""Run the test suite of django-tenants with our backend in place of its own.

`python -m tests.isolation.run_django_tenants_suite`: pip downloads its source distribution into .hotelagent,
a PostgreSQL of its own serves it. Exit code 0 when exactly the tests named in django_tenants_suite.md fail.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
from importlib.metadata import version
from pathlib import Path
from urllib.parse import unquote, urlsplit

from hotelagent.embedded import paths
from hotelagent.embedded.servers import postgres
from tests.servers import Servers

HERE = Path(__file__).resolve().parent
KNOWN = HERE / "django_tenants_suite.md"
FOLDER = paths.HOME / "test" / "django-tenants"

SETTINGS = """
from dts_test_project.settings import *
DATABASES["default"]["ENGINE"] = "tests.isolation.suite_backend"
DATABASE_ROLES = False
"""


def main() -> int:
    source = _download()
    with_settings = FOLDER / "settings"
    with_settings.mkdir(exist_ok=True)
    (with_settings / "suite_settings.py").write_text(SETTINGS)
    servers = Servers()
    try:
        servers.start()
        output = _run(source, with_settings, servers.postgres.url(postgres.SUPERUSER))
    finally:
        servers.stop()
    ran = re.search(r"^Ran (\d+) tests", output, re.MULTILINE)
    failed = set(re.findall(r"^(?:FAIL|ERROR): \S+ \((\S+)\)", output, re.MULTILINE))
    known = set(re.findall(r"^\| `(\S+)` \|", KNOWN.read_text(), re.MULTILINE))
    if not ran:
        sys.stdout.write(output)
        return 1
    sys.stdout.write(f"{ran[1]} tests, {len(failed)} failed, {len(known)} known to.\n")
    for name in sorted(failed - known):
        sys.stdout.write(f"fails, and should not: {name}\n")
    for name in sorted(known - failed):
        sys.stdout.write(f"passes, and is named in {KNOWN.name}: {name}\n")
    if failed - known:
        sys.stdout.write(output)
    return 0 if failed == known else 1


def _download() -> Path:
    release = f"django_tenants-{version('django-tenants')}"
    FOLDER.mkdir(parents=True, exist_ok=True)
    if not (FOLDER / release).exists():
        subprocess.run(
            [
                *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:"),
                *("--dest", FOLDER, f"django-tenants=={version('django-tenants')}"),
            ],
            check=True,
        )
        with tarfile.open(FOLDER / f"{release}.tar.gz") as archive:
            archive.extractall(FOLDER, filter="data")
    return FOLDER / release


def _run(source: Path, settings: Path, url: str) -> str:
    project = source / "dts_test_project"
    address = urlsplit(url)
    done = subprocess.run(
        [sys.executable, "-m", "django", "test", "django_tenants", "--noinput"],
        cwd=project,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(map(str, (source, project, settings, paths.CHECKOUT))),
            "DJANGO_SETTINGS_MODULE": "suite_settings",
            "DATABASE_DB": "django_tenants_suite",
            "DATABASE_USER": unquote(address.username or ""),
            "DATABASE_PASSWORD": unquote(address.password or ""),
            "DATABASE_HOST": address.hostname or "",
            "DATABASE_PORT": str(address.port),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
