"""Tests of `run_python`: a program runs as with the command `python`."""

import os
import sys
from pathlib import Path

import pytest

from tests.programs import run_python

PROGRAM = "import os, sys; print(sys.argv[1:], os.environ.get('NAME'), os.getcwd(), __name__)"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "some_program.py").write_text(PROGRAM)
    return tmp_path


@pytest.mark.parametrize("program", [("-c", PROGRAM), ("-m", "some_program"), ("some_program.py",)])
def test_program_gets_its_arguments_environment_and_folder(folder: Path, program: tuple[str, ...]) -> None:
    done = run_python(*program, "first", "second", environment={"NAME": "value"}, folder=folder)
    assert done.stdout == f"['first', 'second'] value {folder} __main__\n"
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("program", "status", "error"),
    [
        ("raise SystemExit(3)", 3, ""),
        ("raise SystemExit('wrong')", 1, "wrong\n"),
        ("1 / 0", 1, "ZeroDivisionError: division by zero\n"),
        ("import os; os.kill(os.getpid(), 9)", -9, ""),
    ],
    ids=["exit status", "exit message", "exception", "signal"],
)
def test_program_that_fails_returns_its_exit_status_and_its_errors(
    program: str, status: int, error: str
) -> None:
    done = run_python("-c", program, environment=os.environ)
    assert done.returncode == status
    assert done.stderr.endswith(error)


def test_program_of_another_folder_does_not_import_the_modules_of_this_checkout(folder: Path) -> None:
    done = run_python("-c", "import hotelagent", environment={}, folder=folder)
    assert "No module named 'hotelagent'" in done.stderr


def test_program_imports_the_installed_packages_of_this_python(folder: Path) -> None:
    done = run_python(
        "-c", "import sys, django; print(sys.prefix, django.VERSION)", environment={}, folder=folder
    )
    assert done.stdout.startswith(sys.prefix)
