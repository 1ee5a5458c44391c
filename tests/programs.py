"""Python programs that tests run in separate processes, such as `manage.py` with other environment variables."""

import atexit
import functools
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from hotelagent.embedded import paths


def run_python(
    *arguments: str, environment: Mapping[str, str], folder: Path = paths.CHECKOUT
) -> "subprocess.CompletedProcess[str]":
    """Run `python <arguments>` in the folder, with these environment variables only, and wait for its end.

    The arguments begin with `-c`, `-m` or the path of a program. The process is forked from `tests.program_server`,
    which has imported the installed packages.
    """
    server = _server()
    if not (server.stdin and server.stdout):
        raise RuntimeError("The program server has no pipes.")
    with tempfile.TemporaryDirectory() as files:
        output, errors = Path(files, "output"), Path(files, "errors")
        request = {
            "arguments": arguments, "folder": str(folder), "environment": dict(environment),
            "output": str(output), "errors": str(errors),
        }  # fmt: skip
        server.stdin.write(json.dumps(request) + "\n")
        server.stdin.flush()
        status = int(server.stdout.readline())
        return subprocess.CompletedProcess(arguments, status, output.read_text(), errors.read_text())


@functools.cache
def _server() -> "subprocess.Popen[str]":
    """Start the program server of this pytest process. The program server ends when the pytest process ends."""
    server = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("program_server.py"))],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    atexit.register(server.communicate)
    return server
