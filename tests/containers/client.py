"""An HTTPS client of the deployment's REST API, which verifies the certificate of nginx."""

import http.client
import json
import ssl
import uuid
from dataclasses import dataclass
from typing import Any

from hotelagent.embedded import ports
from tests.containers.deployment import Deployment
from tests.deploy.reverse_proxy import LoopbackConnection


@dataclass(frozen=True)
class Client:
    """A client with an API key of one hotel."""

    deployment: Deployment
    host: str
    key: str = ""

    def request(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Send a request with a new connection. Return the status and the parsed body of the response."""
        context = ssl.create_default_context(cafile=self.deployment.folder / "secrets/internal-ca")
        connection = LoopbackConnection(
            self.host, self.deployment.ports["https"], context=context, timeout=60
        )
        headers = {
            "Host": self.host,
            "Content-Type": "application/json",
            "Idempotency-Key": str(uuid.uuid4()),
        }
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        try:
            connection.request(method, path, json.dumps(body) if body is not None else None, headers)
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        is_json = "json" in (response.headers["Content-Type"] or "")
        return response.status, json.loads(content) if is_json else content

    def redirect_of(self, path: str) -> tuple[int, str]:
        """Request the path without TLS. Return the status and the URL of the redirect."""
        connection = http.client.HTTPConnection(ports.LOOPBACK, self.deployment.ports["http"], timeout=60)
        connection.request("GET", path, headers={"Host": self.host})
        response = connection.getresponse()
        connection.close()
        return response.status, response.headers["Location"] or ""
