"""An HTTP client for URLs that hotels enter: only public addresses, no redirects, no proxy, no retries, one deadline.

The client opens its connections itself. A connection goes to an IP address that `public_addresses` has checked, and is
closed at the deadline. A socket timeout would not suffice, because it would not stop a server that sends one byte every
few seconds.
"""

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial

from django.utils.translation import gettext_noop as _

from hotelagent.core import public_addresses
from hotelagent.core.messages import TranslatableMessage
from hotelagent.core.public_addresses import Endpoint, HostNotFound, URLNotAllowed

__all__ = ["RequestFailed", "Response", "URLNotAllowed", "send_request"]


class RequestFailed(Exception):
    """The server sent no usable response. `detail` names the host but not the path, which may contain a secret.

    If `was_sent` is false, no part of the request was sent, so the server has certainly not processed the request.
    """

    def __init__(self, detail: TranslatableMessage, *, was_sent: bool = True) -> None:
        self.detail = detail
        self.was_sent = was_sent
        super().__init__(detail)


@dataclass(frozen=True, slots=True)
class Response:
    """An HTTP response. Header names are in lower case. `body` is empty if no body was requested."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def send_request(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str],
    body: bytes | None = None,
    timeout: float,
    max_bytes: int = 0,
) -> Response:
    """Send one request and return the response.

    `timeout` is the number of seconds from the first packet to the last byte of the response. At most `max_bytes`
    bytes of the response body are read. By default the body is not read. Raises URLNotAllowed, or RequestFailed if
    there is no response, if it takes too long or if its body is too large.
    """
    endpoint = public_addresses.parse_url(url)
    deadline = time.monotonic() + timeout
    connection_class = http.client.HTTPSConnection if endpoint.is_https else http.client.HTTPConnection
    connection = connection_class(endpoint.host, endpoint.port)
    request_failed = partial(_errors_as_request_failed, endpoint.host, timeout=timeout, deadline=deadline)
    with request_failed(was_sent=False):
        abortable = _AbortableSocket(_connect(endpoint, deadline))
    with closing(connection), closing(abortable):
        timer = threading.Timer(max(0.0, deadline - time.monotonic()), abortable.abort)
        timer.daemon = True
        timer.start()
        try:
            with request_failed(was_sent=False):
                connection.sock = (
                    abortable.start_tls(endpoint.host) if endpoint.is_https else abortable.socket
                )
            with request_failed(was_sent=True):
                connection.request(method, endpoint.path, body=body, headers=dict(headers))
                with connection.getresponse() as reply:
                    response = _read_response(endpoint, reply, max_bytes)
                if abortable.is_aborted:  # Without a Content-Length, an incomplete body looks complete.
                    raise TimeoutError
        finally:
            timer.cancel()
    return response


@contextmanager
def _errors_as_request_failed(
    host: str, *, timeout: float, deadline: float, was_sent: bool
) -> Iterator[None]:
    try:
        yield
    except HostNotFound as error:
        raise RequestFailed(error.detail, was_sent=was_sent) from error
    except ssl.SSLCertVerificationError as error:
        raise RequestFailed(
            TranslatableMessage(
                _("The TLS certificate of {host} is not valid: {reason}."),
                host=host,
                reason=error.verify_message,
            ),
            was_sent=was_sent,
        ) from error
    except (OSError, http.client.HTTPException) as error:
        if time.monotonic() >= deadline:
            message = TranslatableMessage(
                _("{host} did not respond within {seconds} seconds."), host=host, seconds=round(timeout)
            )
        else:
            message = TranslatableMessage(
                _("The request to {host} failed: {reason}."), host=host, reason=type(error).__name__
            )
        raise RequestFailed(message, was_sent=was_sent) from error


class _AbortableSocket:
    """A wrapper of a socket. Another thread can shut the socket down at the deadline.

    The wrapper keeps a reference to the socket, because `http.client` drops its reference when the server closes the
    connection.
    """

    def __init__(self, connected: socket.socket) -> None:
        self.socket = connected
        self.is_aborted = False

    def start_tls(self, host: str) -> socket.socket:
        # Assign `self.socket` before the TLS handshake, so that `abort` can interrupt the handshake.
        tls_socket = ssl.create_default_context().wrap_socket(
            self.socket, server_hostname=host, do_handshake_on_connect=False
        )
        self.socket = tls_socket
        tls_socket.do_handshake()
        return tls_socket

    def close(self) -> None:
        self.socket.close()

    def abort(self) -> None:
        self.is_aborted = True
        with suppress(OSError):  # the other thread may have closed the socket
            socket.socket.shutdown(self.socket, socket.SHUT_RDWR)


def _connect(endpoint: Endpoint, deadline: float) -> socket.socket:
    """Connect to the first IP address of the host that accepts a connection, and return the socket."""
    last_error: OSError | None = None
    for address in public_addresses.resolve(endpoint):
        try:
            return socket.create_connection(
                (address, endpoint.port), timeout=max(0.1, deadline - time.monotonic())
            )
        except OSError as error:
            last_error = error
    raise last_error or HostNotFound(endpoint.host)


def _read_response(endpoint: Endpoint, reply: http.client.HTTPResponse, max_bytes: int) -> Response:
    body = reply.read(max_bytes + 1) if max_bytes else b""
    if len(body) > max_bytes:
        raise RequestFailed(
            TranslatableMessage(
                _("The response from {host} is too large. The limit is {limit:,} bytes."),
                host=endpoint.host,
                limit=max_bytes,
            )
        )
    if max_bytes and reply.length:  # The body is shorter than the header Content-Length says.
        raise http.client.IncompleteRead(body, reply.length)
    return Response(reply.status, {name.lower(): value for name, value in reply.getheaders()}, body)
