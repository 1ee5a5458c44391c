"""Tests of the error responses that gunicorn, with its production configuration, sends to malformed requests."""

import email
import json
import socket
from typing import Any

import pytest

from hotelagent.embedded import ports


def exchange(port: int, request: bytes) -> tuple[int, Any, dict[str, Any]]:
    """Send the raw request to the port.

    Return the status, the headers and the problem document of the response.
    """
    with socket.create_connection((ports.LOOPBACK, port), timeout=30) as client:
        client.sendall(request)
        received = b"".join(iter(lambda: client.recv(65536), b""))
    head, _separator, body = received.partition(b"\r\n\r\n")
    status_line, _separator, headers = head.partition(b"\r\n")
    return int(status_line.split()[1]), email.message_from_bytes(headers), json.loads(body)


@pytest.mark.parametrize(
    ("request_bytes", "status", "problem_type"),
    [
        (b"GET /api/v1/?%s HTTP/1.1\r\nHost: a\r\n\r\n" % (b"a" * 5000), 414, "/problems/uri-too-long"),
        (b"GET /api/v1/ HTTP/1.1\r\nBad Header: x\r\n\r\n", 400, "/problems/bad-request"),
        (b"GET /api/v1/\r\n\r\n", 400, "/problems/bad-request"),
        (b"GET / HTTP/1.1\r\nCookie: %s\r\n\r\n" % (b"a" * 9000), 431, "/problems/headers-too-large"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: x\r\n\r\n", 501, "about:blank"),
    ],
)
def test_request_that_gunicorn_refuses_returns_a_problem_document(
    gunicorn_port: int, request_bytes: bytes, status: int, problem_type: str
) -> None:
    received_status, headers, problem = exchange(gunicorn_port, request_bytes)
    assert (received_status, headers["Content-Type"]) == (status, "application/problem+json")
    assert (problem["status"], problem["type"]) == (status, problem_type)
    assert problem["title"]
    assert problem["detail"]
    assert problem["request_id"] == headers["X-Request-ID"]
