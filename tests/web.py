"""HTTP servers that tests ask or are asked by, on the loopback."""

import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TypeVar

Server = TypeVar("Server", bound=ThreadingHTTPServer)


class Quiet(BaseHTTPRequestHandler):
    def log_message(self, *_said: object) -> None:
        """Not on the tests' output."""


@contextlib.contextmanager
def serving(server: Server) -> Iterator[Server]:
    """Answers in threads of its own until the block ends."""
    with server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def listening(handler: type[BaseHTTPRequestHandler]) -> ThreadingHTTPServer:
    """On a port that nobody has."""
    return ThreadingHTTPServer(("127.0.0.1", 0), handler)
