"""A receiver of webhooks: an HTTP server on the loopback interface that records requests and can fail on demand."""

import base64
import hashlib
import hmac
import json
from typing import Any

from tests.web import QuietHandler, ScriptedServer


class WebhookHandler(QuietHandler):
    server: "Receiver"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append(({name.lower(): value for name, value in self.headers.items()}, body))
        match self.server.next_response():
            case int(status):
                self.send_head(status, **{"Content-Length": "0"})
            case "redirect":
                self.send_head(307, Location=f"{self.server.address}/elsewhere", **{"Content-Length": "0"})
            case "hang":
                self.server.closed.wait()
            case "drip":
                while not self.server.closed.wait(0.05):
                    self.wfile.write(b"H")
            case "drop":
                self.close_connection = True


class Receiver(ScriptedServer):
    """An HTTP server that receives webhooks.

    Each item of `responses` is the status of a response, or one of these words: `hang` (no response), `drip` (a byte
    of an endless response from time to time), `drop` (the connection is closed without a response) and `redirect`.
    """

    def __init__(self) -> None:
        super().__init__(WebhookHandler, 204)
        self.requests: list[tuple[dict[str, str], bytes]] = []

    @property
    def url(self) -> str:
        return f"{self.address}/hooks?tenant=1"

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _headers, body in self.requests]

    @property
    def event_types(self) -> list[str]:
        return [body["type"] for body in self.bodies]


def verify(secret: str, headers: dict[str, str], body: bytes) -> bool:
    """Return whether the request has a valid signature for the secret, as Standard Webhooks defines it."""
    key = base64.b64decode(secret.split("_", 1)[1])
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    signatures = headers["webhook-signature"].split(" ")
    return any(hmac.compare_digest(signature, f"v1,{expected}") for signature in signatures)
