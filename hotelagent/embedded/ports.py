"""Functions that find and reserve free TCP ports on the loopback interface."""

import errno
import socket
from pathlib import Path

from hotelagent.embedded.errors import InUseError

LOOPBACK = "127.0.0.1"


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        # Set SO_REUSEADDR, as servers do. Otherwise a port with connections in TIME_WAIT would count as used.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                return False
            raise
        return True


def find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def read_port(path: Path) -> int | None:
    """Return the port that is stored in the file, or None if there is no such file."""
    try:
        return int(path.read_text())
    except (FileNotFoundError, ValueError):
        return None


def reserve_port(path: Path) -> int:
    """Return the port that is stored in the file. If this port is not free, store and return another free port.

    The port normally stays the same, so commands and files that contain the port keep working.
    """
    port = read_port(path)
    if port is None or not is_free(port):
        port = find_free_port()
        path.write_text(f"{port}\n")
    return port


def require_free(port: int, *, purpose: str, variable: str) -> None:
    """Raise InUseError if another process listens on the port."""
    if not is_free(port):
        raise InUseError(
            f"Port {port} ({purpose}) is in use. Stop the program that listens on it, or choose another port: "
            f"{variable}={port + 1} make run"
        )
