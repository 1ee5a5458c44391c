"""A channel manager's end: a real HTTP server on loopback that publishes a calendar, or misbehaves."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

from tests.web import Quiet, listening, serving

TOKEN = "s3cr3t-t0ken"


@dataclass
class Channel:
    """`answers` are given in turn, the last one for ever: a status, `hang`, `drip`, `short`, `endless`, or where a
    redirect leads. 200 is the calendar, or 304 to who has its version."""

    content: bytes = b""
    answers: list[int | str] = field(default_factory=lambda: [200])
    asked: list[dict[str, str]] = field(default_factory=list)
    port: int = 0
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/export.ics?s={TOKEN}"

    @property
    def etag(self) -> str:
        return f'"{hash(self.content)}"'


@contextmanager
def publishing() -> Iterator[Channel]:
    channel = Channel()
    with serving(listening(_handler(channel))) as server:
        channel.port = server.server_port
        try:
            yield channel
        finally:
            channel.over.set()


def _handler(channel: Channel) -> type[BaseHTTPRequestHandler]:  # noqa: C901 - one way to misbehave a case
    class Handler(Quiet):
        def do_GET(self) -> None:
            channel.asked.append({"path": self.path, **{k.lower(): v for k, v in self.headers.items()}})
            answer = channel.answers.pop(0) if len(channel.answers) > 1 else channel.answers[0]
            match answer:
                case 200:
                    known = self.headers.get("If-None-Match") == channel.etag
                    self.begin(
                        304 if known else 200, ETag=channel.etag, **{"Last-Modified": "Tue, 01 May 2030"}
                    )
                    self.wfile.write(b"" if known else channel.content)
                case int(status):
                    self.begin(status)
                case "hang":
                    channel.over.wait(30)
                case "drip":
                    self.begin(200)
                    while not channel.over.wait(0.1):
                        self.wfile.write(b" ")
                case "short":
                    self.begin(200, **{"Content-Length": "100000"})
                    self.wfile.write(channel.content)
                case "endless":
                    self.begin(200)
                    while not channel.over.is_set():
                        self.wfile.write(b"X" * 65_536)
                case str(where):
                    self.begin(302, Location=where)

        def begin(self, status: int, **headers: str) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()

        def handle_one_request(self) -> None:
            try:
                super().handle_one_request()
            except ConnectionError:  # who reads has hung up, as it should
                self.close_connection = True

    return Handler
