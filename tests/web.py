"""HTTP servers that tests ask or are asked by, on the loopback."""

import contextlib
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar

Server = TypeVar("Server", bound=ThreadingHTTPServer)


class Quiet(BaseHTTPRequestHandler):
    def log_message(self, *_said: object) -> None:
        """Not on the tests' output."""

    def begin(self, status: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()


class Peer(ThreadingHTTPServer):
    """Another system's end, on a port that nobody has. It answers with what `answers` says, in turn, and with the
    last for ever; what hangs does so until it is `over`."""

    def __init__(self, handler: type[BaseHTTPRequestHandler], *answers: int | str) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.answers = list(answers)
        self.over = threading.Event()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def next_answer(self) -> int | str:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), OSError):  # who asks has hung up: that may be what it should do
            super().handle_error(request, client_address)

    def server_close(self) -> None:
        self.over.set()
        super().server_close()


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
