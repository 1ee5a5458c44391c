"""Tests that a program started with `tests.programs` behaves like a program started with the command `python`."""

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from hotelagent.embedded.processes import ProcessIdentity
from tests.programs import run_python, running_python

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


def test_program_in_another_folder_does_not_import_the_modules_of_this_checkout(folder: Path) -> None:
    done = run_python("-c", "import hotelagent", environment={}, folder=folder)
    assert "No module named 'hotelagent'" in done.stderr


def test_program_imports_the_installed_packages_of_this_python(folder: Path) -> None:
    done = run_python(
        "-c", "import sys, django; print(sys.prefix, django.VERSION)", environment={}, folder=folder
    )
    assert done.stdout.startswith(sys.prefix)


def test_program_with_the_environment_of_the_tests_has_loaded_django_before_it_starts() -> None:
    program = (
        "import sys, os; loaded = 'tenants.models' in sys.modules; "
        "from django.conf import settings; print(loaded, os.environ['DATABASE_URL'], settings.DATABASE_URL)"
    )
    url = os.environ["DATABASE_URL"]
    assert run_python("-c", program, environment=None).stdout == f"True {url} {url}\n"
    assert run_python("-c", program, environment=os.environ).stdout == f"False {url} {url}\n"


@pytest.mark.parametrize(("handler", "status"), [("SIG_DFL", -signal.SIGTERM), ("SIG_IGN", -signal.SIGKILL)])
def test_stopped_program_ends_with_its_child_processes(handler: str, status: int) -> None:
    """A program that ignores SIGTERM is killed after the timeout."""
    program = (
        "import os, signal, time; "
        "child = os.fork() or time.sleep(60); "
        f"signal.signal(signal.SIGTERM, signal.{handler}); print(child, flush=True); time.sleep(60)"
    )
    with running_python("-c", program) as running:
        while not running.output().endswith("\n"):
            assert not running.has_ended()
        child = ProcessIdentity.of(int(running.output()))
        assert child
        running.stop(timeout=0.5)
        assert running.wait() == status
    deadline = time.monotonic() + 10
    while child.is_running():
        assert time.monotonic() < deadline
        time.sleep(0.01)
