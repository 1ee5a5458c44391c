"""HTTP servers on this machine that replace external systems in tests."""

import contextlib
import socketserver
import ssl
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar

from tests.certificates import Certificate

Server = TypeVar("Server", bound=socketserver.BaseServer)


class QuietHandler(BaseHTTPRequestHandler):
    """A request handler that logs nothing, so that requests do not appear in the test output."""

    def log_message(self, *_args: object) -> None:
        """Do nothing. The base class would write each request to the test output."""

    def send_head(self, status: int, **headers: str) -> None:
        """Send the status line and the headers of a response."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()


class ScriptedServer(ThreadingHTTPServer):
    """An HTTP server on a free port.

    Each request is handled with the next item of `responses`, and the last item is used for all further requests. A
    handler that simulates a hanging server waits for the event `closed`.
    """

    def __init__(self, handler: type[BaseHTTPRequestHandler], *responses: int | str) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.responses = list(responses)
        self.closed = threading.Event()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def next_response(self) -> int | str:
        return self.responses.pop(0) if len(self.responses) > 1 else self.responses[0]

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), OSError):  # in some tests, the client closes the connection
            super().handle_error(request, client_address)

    def server_close(self) -> None:
        self.closed.set()
        super().server_close()


def use_tls(server: socketserver.TCPServer, certificate: Certificate) -> None:
    """Let the server, which does not run yet, accept TLS connections only."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.chain, certificate.key)
    # The handshake runs in the thread of the request: a client that rejects the certificate must not stop the server.
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)


@contextlib.contextmanager
def serving(server: Server) -> Iterator[Server]:
    """Run the server in a thread until the end of the `with` block."""
    with server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def listening(handler: type[BaseHTTPRequestHandler]) -> ThreadingHTTPServer:
    """Return an HTTP server that listens on a free port and uses the handler."""
    return ThreadingHTTPServer(("127.0.0.1", 0), handler)
