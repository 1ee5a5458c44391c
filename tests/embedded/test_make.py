"""Tests of the Makefile, and of its messages when a requirement is missing."""

import shutil
import subprocess
from pathlib import Path

import pytest

from hotelagent.embedded import paths
from hotelagent.embedded.errors import EmbeddedError
from tests.embedded import checkout as checkouts


def write_program(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_make_run_with_an_old_python_prints_the_required_version(tmp_path: Path) -> None:
    copy = checkouts.copy(tmp_path / "copy")
    (copy.folder / ".hotelagent" / "venv").unlink()
    folder = tmp_path / "bin"
    folder.mkdir()
    write_program(folder / "python3", 'case "$1" in --version) echo Python 3.9.2;; *) exit 1;; esac')
    make = shutil.which("make")
    assert make
    done = subprocess.run(
        [make, "run"], cwd=copy.folder, env={"PATH": str(folder)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.splitlines()[0] == (
        "hotelagent needs Python 3.11 or later, but found Python 3.9.2. Install a newer Python and try again."
    )


def test_make_without_target_lists_the_targets() -> None:
    done = subprocess.run(["make"], cwd=paths.CHECKOUT, capture_output=True, text=True, check=True)
    for target in ("run", "test", "lint", "bench", "clean"):
        assert f"\n  {target} " in done.stdout


def test_make_clean_deletes_the_data_and_keeps_the_packages(tmp_path: Path) -> None:
    copy = checkouts.copy(tmp_path / "copy")
    home = copy.folder / ".hotelagent"
    (home / "postgres" / "data").mkdir(parents=True)
    subprocess.run(["make", "clean"], cwd=copy.folder, capture_output=True, check=True)
    assert [path.name for path in home.iterdir() if path.name != "pycache"] == ["venv"]
    assert (home / "venv" / "bin" / "python").exists()


def test_disk_space_check_on_a_full_disk_raises_embedded_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=5 * 2**20)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(EmbeddedError, match=r"has 5 MB left, but 400 MB are needed\. Free disk"):
        paths.require_disk_space(tmp_path)
