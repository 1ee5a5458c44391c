"""One question to another system at a checked address: no redirect, no proxy, no second try, and an end to it.

With the standard library's client on a connection of our own making, for that connection is the point: it goes to
the address that was judged, while TLS still asks for the name's certificate; and it can be cut while the other side
sends a byte every few seconds, which a timeout for each read would allow for ever.
"""

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass

from django.utils.translation import gettext_noop as _

from hotelagent.core import public_addresses
from hotelagent.core.messages import TranslatableMessage
from hotelagent.core.public_addresses import Target
from locks.errors import NotDelivered


@dataclass(frozen=True, slots=True)
class Answer:
    """`headers` by their names in small letters; `body` is empty where none was asked for."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def ask(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str],
    body: bytes | None = None,
    seconds: float,
    most_bytes: int = 0,
) -> Answer:
    """`seconds` are from the first packet to the last byte that is read; of the body no more than `most_bytes` is.

    Raises AddressRefused, or NotDelivered where the other side gives no answer or too long a one.
    """
    to = public_addresses.target(url)
    ends = time.monotonic() + seconds
    connection = (http.client.HTTPSConnection if to.secure else http.client.HTTPConnection)(to.host, to.port)
    with _told(to.host, seconds=seconds, ends=ends):
        with closing(connection), closing(_Wire(_connect(to, ends))) as wire:
            cut = threading.Timer(max(0.0, ends - time.monotonic()), wire.cut)
            cut.daemon = True
            cut.start()
            try:
                connection.sock = wire.secured(to.host) if to.secure else wire.socket
                connection.request(method, to.path, body=body, headers=dict(headers))
                with connection.getresponse() as response:
                    answer = _read(to, response, most_bytes)
            finally:
                cut.cancel()
        if wire.is_cut:  # to who reads until the other side hangs up, this was the end
            raise TimeoutError
    return answer


@contextmanager
def _told(host: str, *, seconds: float, ends: float) -> Iterator[None]:
    """What goes wrong on the way, as what is kept of it."""
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        why = TranslatableMessage(
            _("The certificate of {host} is not valid: {why}."), host=host, why=error.verify_message
        )
        raise NotDelivered(why) from error
    except (OSError, http.client.HTTPException) as error:
        if time.monotonic() >= ends:
            late = TranslatableMessage(
                _("{host} did not answer within {seconds} seconds."), host=host, seconds=round(seconds)
            )
            raise NotDelivered(late) from error
        why = TranslatableMessage(_("{host} gave no answer: {why}."), host=host, why=type(error).__name__)
        raise NotDelivered(why) from error


class _Wire:
    """What is cut when the time is up. The client forgets its socket once an answer has begun that ends with it."""

    def __init__(self, connected: socket.socket) -> None:
        self.socket = connected
        self.is_cut = False

    def secured(self, host: str) -> socket.socket:
        # The handshake comes after: until there is an object to cut, nothing is read.
        tls = ssl.create_default_context().wrap_socket(
            self.socket, server_hostname=host, do_handshake_on_connect=False
        )
        self.socket = tls
        tls.do_handshake()
        return tls

    def close(self) -> None:
        self.socket.close()

    def cut(self) -> None:
        self.is_cut = True
        with suppress(OSError):  # it has ended by itself
            socket.socket.shutdown(self.socket, socket.SHUT_RDWR)


def _connect(to: Target, ends: float) -> socket.socket:
    refused: OSError | None = None
    for address in public_addresses.resolve(to):
        try:
            return socket.create_connection((address, to.port), timeout=max(0.1, ends - time.monotonic()))
        except OSError as error:
            refused = error
    raise refused or public_addresses.nowhere(to)


def _read(to: Target, response: http.client.HTTPResponse, most_bytes: int) -> Answer:
    body = response.read(most_bytes + 1) if most_bytes else b""
    if len(body) > most_bytes:
        raise NotDelivered(
            TranslatableMessage(_("{host} sent more than {most:,} bytes."), host=to.host, most=most_bytes)
        )
    if most_bytes and response.length:  # what it promised and did not send
        raise http.client.IncompleteRead(body, response.length)
    return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, body)
