"""Fixtures that run releases of the deployment on one database, through PgBouncer."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests import servers
from tests.servers import PgBouncer
from tests.upgrade.stack import Release, StartRelease, listening_socket


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with listening_socket() as listener:
        yield listener


@pytest.fixture
def mail() -> Iterator[servers.MailServer]:
    with servers.mail_server() as server:
        yield server


@pytest.fixture
def environment(pgbouncer: PgBouncer, mail: servers.MailServer) -> dict[str, str]:
    return {
        "DATABASE_URL": pgbouncer.url,
        "EMAIL_URL": f"smtp://127.0.0.1:{mail.port}",
        "LOG_LEVEL": "WARNING",
    }


@pytest.fixture
def start_release(
    environment: dict[str, str], listener: socket.socket, tmp_path: Path
) -> Iterator[StartRelease]:
    """Return a function that loads a release. No process of the release runs yet."""
    with ExitStack() as stack:
        yield lambda name: stack.enter_context(
            Release(name, listener=listener, folder=tmp_path, environment=environment)
        )
