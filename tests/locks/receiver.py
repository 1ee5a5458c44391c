"""Another system's end of a webhook: a real HTTP server on loopback that keeps what comes and misbehaves on demand."""

import base64
import hashlib
import hmac
import json
from typing import Any

from tests.web import Peer, Quiet


class Hook(Quiet):
    server: "Receiver"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append(({name.lower(): value for name, value in self.headers.items()}, body))
        match self.server.next_answer():
            case int(status):
                self.begin(status, **{"Content-Length": "0"})
            case "redirect":
                self.begin(307, Location=f"{self.server.address}/elsewhere", **{"Content-Length": "0"})
            case "hang":
                self.server.over.wait()
            case "drip":
                while not self.server.over.wait(0.05):
                    self.wfile.write(b"H")
            case "drop":
                self.close_connection = True


class Receiver(Peer):
    """An answer is a status, or `hang`, `drip`, `drop`, `redirect`."""

    def __init__(self) -> None:
        super().__init__(Hook, 204)
        self.requests: list[tuple[dict[str, str], bytes]] = []

    @property
    def url(self) -> str:
        return f"{self.address}/hooks?tenant=1"

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _headers, body in self.requests]

    @property
    def kinds(self) -> list[str]:
        return [body["type"] for body in self.bodies]


def verify(secret: str, headers: dict[str, str], body: bytes) -> bool:
    """What the other side does, by the specification's own words."""
    key = base64.b64decode(secret.split("_", 1)[1])
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    given = headers["webhook-signature"].split(" ")
    return any(hmac.compare_digest(one, f"v1,{expected}") for one in given)
