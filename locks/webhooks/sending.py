"""One POST to a checked address: no redirect, no proxy, no second try, and an end to it.

With the standard library's client on a connection of our own making, for that connection is the point: it goes to
the address that was judged, while TLS still asks for the name's certificate; and it can be cut while the other side
sends a byte every few seconds, which a timeout for each read would allow for ever.
"""

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from contextlib import closing, suppress

from locks.errors import NotDelivered
from locks.webhooks import addresses
from locks.webhooks.addresses import Target

#: From the first packet to the status line.
SECONDS = 10.0


def post(url: str, *, headers: Mapping[str, str], body: bytes) -> int:
    """The status that the other side answers with. Raises AddressRefused, or NotDelivered where it gives none."""
    to = addresses.target(url)
    ends = time.monotonic() + SECONDS
    connection = (http.client.HTTPSConnection if to.secure else http.client.HTTPConnection)(to.host, to.port)
    try:
        with closing(connection):
            connection.sock = _connect(to, ends)
            cut = threading.Timer(max(0.0, ends - time.monotonic()), _cut, [connection])
            cut.daemon = True
            cut.start()
            try:
                return _ask(to, connection, headers, body)
            finally:
                cut.cancel()
    except ssl.SSLCertVerificationError as error:
        raise NotDelivered(f"The certificate of {to.host} is not valid: {error.verify_message}.") from error
    except (OSError, http.client.HTTPException) as error:
        if time.monotonic() >= ends:
            raise NotDelivered(f"{to.host} did not answer within {SECONDS:.0f} seconds.") from error
        raise NotDelivered(f"{to.host} gave no answer: {type(error).__name__}.") from error


def _connect(to: Target, ends: float) -> socket.socket:
    refused: OSError | None = None
    for address in addresses.resolve(to):
        try:
            return socket.create_connection((address, to.port), timeout=max(0.1, ends - time.monotonic()))
        except OSError as error:
            refused = error
    raise refused or NotDelivered(f"The name {to.host} has no address.")


def _ask(to: Target, connection: http.client.HTTPConnection, headers: Mapping[str, str], body: bytes) -> int:
    if to.secure:
        # The handshake comes after: until there is an object to cut, nothing is read.
        tls = ssl.create_default_context().wrap_socket(
            connection.sock, server_hostname=to.host, do_handshake_on_connect=False
        )
        connection.sock = tls
        tls.do_handshake()
    connection.request("POST", to.path, body=body, headers=dict(headers))
    return connection.getresponse().status


def _cut(connection: http.client.HTTPConnection) -> None:
    with suppress(OSError):  # it has ended by itself
        socket.socket.shutdown(connection.sock, socket.SHUT_RDWR)
