"""TCP ports of the loopback interface."""

import errno
import socket
from pathlib import Path

from hotelagent.embedded.errors import InUseError

LOOPBACK = "127.0.0.1"


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: TIME_WAIT is not in use
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                return False
            raise
        return True


def any_free() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def remembered(path: Path) -> int | None:
    """The port that stands in a file, or None where none does."""
    try:
        return int(path.read_text())
    except (FileNotFoundError, ValueError):
        return None


def remember(path: Path) -> int:
    """The port in the file as long as it is free, else another, from then on in the file.

    So that what somebody noted yesterday (a psql session, a .pgpass line) still fits today.
    """
    port = remembered(path)
    if port is None or not is_free(port):
        port = any_free()
        path.write_text(f"{port}\n")
    return port


def demand(port: int, *, purpose: str, variable: str) -> None:
    """Raise InUseError when somebody else listens on the port."""
    if not is_free(port):
        raise InUseError(
            f"Port {port} ({purpose}) is in use. Stop what listens there, or choose another: "
            f"{variable}={port + 1} make run"
        )
