"""An HTTP client of a hotel, which keeps cookies and remembers the secrets that it sent and received."""

import http.client
import json
import re
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlencode

from hotelagent.embedded import ports


class HotelClient:
    """A client of the web server at `port`, for the host of one hotel. Redirects are not followed."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self.cookies: SimpleCookie = SimpleCookie()
        #: The cookies and CSRF tokens that the client received. Each key describes its value.
        self.secrets: dict[str, str] = {}

    def request(self, method: str, path: str, body: str | None = None, **headers: str) -> tuple[int, str]:
        """Send a request, and return the status and the text of the response."""
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{name}={cookie.value}" for name, cookie in self.cookies.items())
        connection = http.client.HTTPConnection(ports.LOOPBACK, self.port, timeout=60)
        connection.request(method, path, body, {"Host": self.host, "X-Request-ID": "", **headers})
        response = connection.getresponse()
        text = response.read().decode(errors="replace")
        for value in response.headers.get_all("Set-Cookie") or []:
            self.cookies.load(value)
        connection.close()
        self.secrets |= {f"cookie {name}": cookie.value for name, cookie in self.cookies.items()}
        return response.status, text

    def submit(self, path: str, **form: Any) -> tuple[int, str]:
        """Open the page at the path, and submit the form of the page with these values."""
        _status, page = self.request("GET", path)
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
        assert token, page
        self.secrets["CSRF token"] = token[1]
        body = urlencode({"csrfmiddlewaretoken": token[1], **form}, doseq=True)
        return self.request("POST", path, body, **{"Content-Type": "application/x-www-form-urlencoded"})

    def call(self, method: str, path: str, key: str, data: Any = None, **headers: str) -> tuple[int, Any]:
        """Call the REST API with an API key, and return the status and the JSON document of the response."""
        headers |= {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        body = None if data is None else json.dumps(data)
        status, text = self.request(method, f"/api/v1/{path}", body, **headers)
        return status, json.loads(text) if text else None
