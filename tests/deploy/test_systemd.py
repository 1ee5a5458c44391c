"""Tests of the systemd units: `systemd-analyze` accepts them and measures how little they expose."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from django.conf import settings

from hotelagent.settings.environment import SECRETS
from tests.servers import skip_or_fail_in_ci

UNITS = Path(settings.BASE_DIR, "deploy", "systemd")
SERVICES = sorted(path.name for path in UNITS.glob("*.service"))
#: The highest accepted exposure level of `systemd-analyze security`, which is between 0 (safe) and 10 (unsafe).
MAX_EXPOSURE = 1.5
PROGRAMS = ("gunicorn", "celery", "python")


@pytest.fixture(autouse=True)
def _require_systemd() -> None:
    if not shutil.which("systemd-analyze"):
        skip_or_fail_in_ci("systemd-analyze")


def analyze(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, check=False)


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """Return a folder with a copy of the units, whose programs exist in a folder of the test."""
    for release in ("current", "v1"):
        programs = tmp_path / "opt" / release / "venv" / "bin"
        programs.mkdir(parents=True)
        for name in PROGRAMS:
            (programs / name).touch(mode=0o755)
    folder = tmp_path / "units"
    folder.mkdir()
    for unit in UNITS.glob("hotelagent*"):
        text = unit.read_text().replace("/opt/hotelagent", str(tmp_path / "opt"))
        (folder / unit.name).write_text(text)
    return folder


def verify(folder: Path) -> str:
    """Return what `systemd-analyze verify` says about the units in the folder."""
    names = [unit.name.replace("@.", "@v1.") for unit in sorted(folder.iterdir())]
    return analyze("verify", "--man=no", *(folder / name for name in names)).stderr


def test_units_are_accepted_by_systemd_without_a_warning(units: Path) -> None:
    assert len(SERVICES) == 4
    assert verify(units) == ""


def test_unit_with_a_misspelt_option_is_reported(units: Path) -> None:
    unit = units / "hotelagent-web.service"
    unit.write_text(unit.read_text().replace("ProtectHome=", "ProtectHomes="))
    assert "'ProtectHomes'" in verify(units)


def exposure(unit: Path) -> float:
    """Return the exposure level of a service, as `systemd-analyze` rates its options."""
    [level] = re.findall(
        r"exposure level for \S+: ([\d.]+)", analyze("security", "--offline=true", unit).stdout
    )
    return float(level)


@pytest.mark.parametrize("name", SERVICES)
def test_service_exposes_little_of_the_system(name: str, units: Path) -> None:
    assert exposure(units / name) <= MAX_EXPOSURE


def test_service_without_hardening_exposes_most_of_the_system(units: Path) -> None:
    unit = units / "hotelagent-web.service"
    lines = unit.read_text().splitlines(keepends=True)
    hardening = re.compile(
        r"(Protect|Private|Restrict|SystemCall|Capability|NoNew|Lock|MemoryDeny|UMask|Proc)\w*="
    )
    unit.write_text("".join(line for line in lines if not hardening.match(line)))
    assert exposure(unit) > 5 * MAX_EXPOSURE


@pytest.mark.parametrize("name", SERVICES)
def test_service_gets_its_secrets_as_credentials(name: str) -> None:
    text = (UNITS / name).read_text()
    loaded = dict(re.findall(r"^LoadCredential=(\w+):/etc/hotelagent/secrets/(\w+)$", text, re.MULTILINE))
    used = dict(re.findall(r"^Environment=(\w+)_FILE=%d/(\w+)$", text, re.MULTILINE))
    assert loaded == used
    assert all(name == file for name, file in loaded.items())
    assert loaded.keys() - SECRETS <= {"AUDIT_SIGNING_KEY"}
    # The web processes and Celery beat never change schemas, so they do not get the login of the database owner.
    assert ("DATABASE_DIRECT_URL" in loaded) == ("worker" in name or "manage" in name)
