"""Runs a management command with the embedded servers around it, when it needs them."""

import os
import sys
from collections.abc import Callable, Sequence

from hotelagent.embedded.errors import EmbeddedError
from hotelagent.embedded.servers import environment, servers

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
    """Whether a command line reads or writes data; `check` does when it is asked to look at a database."""
    if len(arguments) < 2 or arguments[1] in WITHOUT_SERVERS:
        return "--database" in arguments
    return not {"-h", "--help", "--version"} & set(arguments[1:])


def run(arguments: list[str], execute: Callable[[list[str]], None]) -> None:
    try:
        if not needs_servers(arguments):
            os.environ.update(environment())
            execute(arguments)
            return
        with servers():
            os.environ.update(environment())
            execute(arguments)
    except EmbeddedError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
