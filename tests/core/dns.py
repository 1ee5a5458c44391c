"""A test helper that replaces the DNS resolver of the operating system."""

import socket
from typing import Any

import pytest


def resolve_all_hosts_to(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """Make `socket.getaddrinfo` return these IPv4 addresses for every host name."""

    def getaddrinfo(_host: str, port: int, *_args: Any, **_kwargs: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
