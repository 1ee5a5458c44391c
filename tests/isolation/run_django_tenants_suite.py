"""A program that runs the test suite of django-tenants with this project's database backend.

`python -m tests.isolation.run_django_tenants_suite` runs the tests on a separate PostgreSQL server. The exit code is 0
if exactly the tests listed in django_tenants_suite.md fail.
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
EXPECTED_FAILURES = HERE / "django_tenants_suite.md"
FOLDER = paths.HOME / "test" / "django-tenants"

SETTINGS = """
from dts_test_project.settings import *
DATABASES["default"]["ENGINE"] = "tests.isolation.suite_backend"
DATABASE_ROLES = False
"""


def main() -> int:
    source = _download()
    settings_folder = FOLDER / "settings"
    settings_folder.mkdir(exist_ok=True)
    (settings_folder / "suite_settings.py").write_text(SETTINGS)
    servers = Servers()
    try:
        servers.start()
        output = _run(source, settings_folder, servers.postgres.url(postgres.SUPERUSER))
    finally:
        servers.stop()
    ran = re.search(r"^Ran (\d+) tests", output, re.MULTILINE)
    failed = set(re.findall(r"^(?:FAIL|ERROR): \S+ \((\S+)\)", output, re.MULTILINE))
    expected = set(re.findall(r"^\| `(\S+)` \|", EXPECTED_FAILURES.read_text(), re.MULTILINE))
    if not ran:
        sys.stdout.write(output)
        return 1
    sys.stdout.write(f"{ran[1]} tests, {len(failed)} failed, {len(expected)} expected to fail.\n")
    for name in sorted(failed - expected):
        sys.stdout.write(f"unexpected failure: {name}\n")
    for name in sorted(expected - failed):
        sys.stdout.write(f"passes, but is listed in {EXPECTED_FAILURES.name}: {name}\n")
    if failed - expected:
        sys.stdout.write(output)
    return 0 if failed == expected else 1


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
    result = subprocess.run(
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
    return result.stdout


if __name__ == "__main__":
    sys.exit(main())
