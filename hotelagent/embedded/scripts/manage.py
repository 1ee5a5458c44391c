"""The script that runs a management command, with the embedded servers if the command needs a database."""

import os
import sys
from collections.abc import Callable, Sequence

from hotelagent.embedded.errors import EmbeddedError
from hotelagent.embedded.servers.access import running_servers, server_environment

#: Commands that run without a database.
WITHOUT_SERVERS = {
    "check",
    "collectstatic",
    "compilemessages",
    "diffsettings",
    "findstatic",
    "help",
    "lint_migrations",
    "makemessages",
    "makemigrations",
    "spectacular",
    "startapp",
    "version",
}


def needs_servers(arguments: Sequence[str]) -> bool:
    """Return whether the command needs a database. `check` needs one only with the option `--database`."""
    if len(arguments) < 2 or arguments[1] in WITHOUT_SERVERS:
        return "--database" in arguments
    return not {"-h", "--help", "--version"} & set(arguments[1:])


def run(arguments: list[str], execute: Callable[[list[str]], None]) -> None:
    """Execute the command, with the embedded servers if needed. If the servers cannot be started, exit with status 1 or
    2.
    """
    try:
        if not needs_servers(arguments):
            os.environ.update(server_environment())
            execute(arguments)
            return
        with running_servers():
            os.environ.update(server_environment())
            execute(arguments)
    except EmbeddedError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
