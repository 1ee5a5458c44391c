"""A service manager for the tests of deploy/bin: it runs the processes of releases, as systemd would.

The scripts call a small program, which sends its arguments to the service manager in the process of the test. That
process holds the listening socket, as systemd does.
"""

import http.client
import os
import sys
import threading
from collections.abc import Callable
from multiprocessing.connection import Client, Listener
from pathlib import Path
from typing import Self

from hotelagent.embedded import ports
from tests.upgrade.stack import Release

#: The program that deploy/bin calls. The service manager writes its address and key into the program.
PROGRAM = """#!{python}
import sys
from multiprocessing.connection import Client
with Client({address!r}, authkey={key!r}) as connection:
    connection.send(sys.argv[1:])
    status, output = connection.recv()
sys.stdout.write(output)
sys.exit(status)
"""
PROCESSES = ("web", "worker", "beat")


class ServiceManager:
    """A service manager that runs one release at a time, until the end of the `with` block."""

    def __init__(
        self, load_release: Callable[[str], Release], *, current: str, port: int, folder: Path
    ) -> None:
        self.program = folder / "services"
        self.current = current
        self.port = port
        self.calls: list[list[str]] = []
        self._load_release = load_release
        self._releases: dict[str, Release] = {}
        self._address, self._key = str(folder / "services.socket"), os.urandom(16)
        self._listener = Listener(self._address, authkey=self._key)
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Self:
        self.program.write_text(PROGRAM.format(python=sys.executable, address=self._address, key=self._key))
        self.program.chmod(0o700)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with Client(self._address, authkey=self._key) as connection:
            connection.send(["end"])
        self._thread.join()
        self._listener.close()

    def release(self, name: str) -> Release:
        if name not in self._releases:
            self._releases[name] = self._load_release(name)
        return self._releases[name]

    def _serve(self) -> None:
        while True:
            with self._listener.accept() as connection:
                arguments = connection.recv()
                if arguments == ["end"]:
                    return
                self.calls.append(arguments)
                connection.send(self._run(*arguments))

    def _run(self, verb: str, *arguments: str) -> tuple[int, str]:
        """Run a command of the scripts, and return its exit status and output."""
        if verb == "current":
            return 0, self.current
        if verb == "manage":
            version, *command = arguments
            return self.release(version).manage(*command), ""
        if verb == "switch":
            # As `systemctl restart`: the old processes end, then the new ones start. The socket stays open.
            self.release(self.current).terminate()
            [self.current] = arguments
            self.release(self.current).start(*PROCESSES)
            return 0, ""
        return self._fetch(*arguments)

    def _fetch(self, path: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection(ports.LOOPBACK, self.port, timeout=60)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return int(response.status != 200), response.read().decode()
        except OSError as error:
            return 1, repr(error)
        finally:
            connection.close()
