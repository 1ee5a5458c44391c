"""Another system's end of a webhook: a real HTTP server on loopback that keeps what comes and misbehaves on demand."""

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.web import Quiet, listening, serving


@dataclass
class Receiver:
    """`answers` are given in turn, the last one for ever: a status, or `hang`, `drip`, `drop`, `redirect`."""

    answers: list[int | str] = field(default_factory=lambda: [204])
    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    port: int = 0
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hooks?tenant=1"

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _headers, body in self.requests]

    @property
    def kinds(self) -> list[str]:
        return [body["type"] for body in self.bodies]

    def answer(self) -> int | str:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def verify(secret: str, headers: dict[str, str], body: bytes) -> bool:
    """What the other side does, by the specification's own words."""
    key = base64.b64decode(secret.split("_", 1)[1])
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    given = headers["webhook-signature"].split(" ")
    return any(hmac.compare_digest(one, f"v1,{expected}") for one in given)


@contextmanager
def receiving() -> Iterator[Receiver]:
    receiver = Receiver()
    with serving(listening(_handler(receiver))) as server:
        receiver.port = server.server_port
        try:
            yield receiver
        finally:
            receiver.over.set()


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(Quiet):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.requests.append(({name.lower(): value for name, value in self.headers.items()}, body))
            match receiver.answer():
                case int(status):
                    self.send_response(status)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                case "redirect":
                    self.send_response(307)
                    self.send_header("Location", f"http://127.0.0.1:{receiver.port}/elsewhere")
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                case "hang":
                    receiver.over.wait()
                case "drip":
                    while not receiver.over.wait(0.05):
                        try:
                            self.wfile.write(b"H")
                        except OSError:
                            return
                case "drop":
                    self.close_connection = True

    return Handler
