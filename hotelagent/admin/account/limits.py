"""The limits of login attempts, which apply before the password is hashed, and of requests for password links.

Hashing a password is expensive. Without limits, login attempts of anonymous clients could make all hotels slow.
"""

import ipaddress
import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from hotelagent.core.text import normalize_username
from hotelagent.rest.throttling import ClientThrottle, Rate
from tenants.context import current_actor
from tenants.signals import rate_limit_exceeded

#: Maximum rate of login attempts from an IP address at all hotels together. A hotel's staff may share one address.
ADDRESS_RATE = Rate(requests=60, seconds=600)
#: Maximum rate of login attempts for each pair of a user name and an IP address.
PAIR_RATE = Rate(requests=10, seconds=600)
#: Maximum rate of login attempts for a user name from all IP addresses together. This rate is higher than PAIR_RATE,
#: so that a single IP address cannot lock out an account.
NAME_RATE = Rate(requests=100, seconds=3600)
#: Maximum rates of requests for password links: per IP address in all hotels together, and per user name.
LINK_ADDRESS_RATE = Rate(requests=20, seconds=3600)
LINK_NAME_RATE = Rate(requests=3, seconds=3600)
#: Maximum number of passwords that a process hashes at the same time, so that some threads can serve other requests.
MAX_CONCURRENT = 2
#: The number of seconds after which a client may try again if MAX_CONCURRENT passwords are being hashed.
BUSY_SECONDS = 1

_slots = threading.BoundedSemaphore(MAX_CONCURRENT)


@contextmanager
def password_attempt(request: HttpRequest, username: str) -> Iterator[HttpResponse | None]:
    """Yield None if the password may be checked inside the context manager, or else a response with the status 429."""
    wait = _seconds_to_wait(username)
    if wait is None and _slots.acquire(blocking=False):
        try:
            yield None
        finally:
            _slots.release()
    else:
        yield too_many_attempts(request, seconds=BUSY_SECONDS if wait is None else wait)


def _seconds_to_wait(username: str) -> float | None:
    """Count a login attempt. Return None if it is allowed, or else the seconds after which the client may try again.

    The first refusal of an IP address or user name in an hour is recorded in the audit trail.
    """
    name = normalize_username(username)
    address = network(current_actor().ip)
    for policy, client, rate, all_hotels in (
        ("login-address", address, ADDRESS_RATE, True),
        ("login-pair", f"{address} {name}", PAIR_RATE, False),
        ("login-name", name, NAME_RATE, False),
    ):
        wait = seconds_to_wait(policy, client, rate, all_hotels=all_hotels)
        if wait is not None:
            return wait
    return None


def seconds_to_wait(policy: str, client: str, rate: Rate, *, all_hotels: bool = False) -> float | None:
    """Count one attempt of the client. If the attempt is not allowed, return the seconds to wait.

    Otherwise return None.
    """
    result = ClientThrottle.check(
        policy=policy, client=f"{policy} {client}", rate=rate, all_hotels=all_hotels
    )
    if result is None or result.allowed:
        return None
    if result.is_first_refusal:
        rate_limit_exceeded.send(ClientThrottle, policy=policy, requests=rate.requests, seconds=rate.seconds)
    return result.wait_seconds


def network(address: str | None) -> str:
    """Return an IPv4 address unchanged, or the /64 network of an IPv6 address.

    The addresses of a /64 network usually belong to one customer of an internet provider.
    """
    if address and ":" in address:
        return str(ipaddress.ip_network(f"{address}/64", strict=False))
    return address or "unknown"


def too_many_attempts(request: HttpRequest, *, seconds: float) -> HttpResponse:
    response = render(request, "429.html", status=429)
    response["Retry-After"] = str(max(1, math.ceil(seconds)))
    return response
