"""A reverse proxy with TLS in front of a local web server, and an HTTPS client that connects to it, for tests."""

import http.client
import re
import ssl
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlencode

from hotelagent.embedded import ports
from tests.certificates import Certificate
from tests.web import QuietHandler


class ReverseProxy(ThreadingHTTPServer):
    """An HTTPS server that forwards requests to the port `target`.

    The method `forwarded_headers` returns the headers of a forwarded request.
    """

    def __init__(self, *, target: int, certificate: Certificate) -> None:
        super().__init__((ports.LOOPBACK, 0), _Handler)
        self.target = target
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate.chain, certificate.key)
        self.socket = context.wrap_socket(self.socket, server_side=True)

    def forwarded_headers(self, handler: BaseHTTPRequestHandler) -> dict[str, str]:
        """Return the headers of the forwarded request, as README.md prescribes for reverse proxies.

        An X-Forwarded-For header that the client sent is replaced with the client's IP address.
        """
        own = {"X-Forwarded-Proto": "https", "X-Forwarded-For": handler.client_address[0]}
        return {**dict(handler.headers.items()), **own}


class _Handler(QuietHandler):
    server: ReverseProxy

    def _forward(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        upstream = http.client.HTTPConnection(ports.LOOPBACK, self.server.target, timeout=60)
        upstream.request(self.command, self.path, body, self.server.forwarded_headers(self))
        response = upstream.getresponse()
        content = response.read()
        self.send_response(response.status)
        for name, value in response.getheaders():
            if name.lower() not in {"connection", "transfer-encoding", "content-length", "server", "date"}:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        upstream.close()

    do_GET = do_POST = _forward


class Browser:
    """An HTTPS client for tests. It connects to one host, keeps cookies and does not follow redirects."""

    def __init__(self, host: str, proxy: ReverseProxy, certificate: Certificate) -> None:
        self.host, self.port = host, proxy.server_port
        self.context = ssl.create_default_context(cafile=certificate.authority)
        self.cookies: SimpleCookie = SimpleCookie()

    def request(
        self, method: str, path: str, form: dict[str, Any] | None = None
    ) -> tuple[int, dict[str, str], str]:
        """Send a request and return the status, the headers and the text of the response."""
        connection = LoopbackConnection(self.host, self.port, context=self.context, timeout=60)
        headers = {"Host": self.host, "Referer": f"https://{self.host}{path}"}
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{name}={cookie.value}" for name, cookie in self.cookies.items())
        if form is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        connection.request(method, path, urlencode(form) if form is not None else None, headers)
        response = connection.getresponse()
        text = response.read().decode(errors="replace")
        for value in response.headers.get_all("Set-Cookie") or []:
            self.cookies.load(value)
        connection.close()
        return response.status, dict(response.getheaders()), text

    def log_in(self, username: str, password: str) -> tuple[int, dict[str, str], str]:
        form = {"username": username, "password": password, "next": "/admin/"}
        return self.submit("/admin/login/", form)

    def submit(self, path: str, form: dict[str, Any]) -> tuple[int, dict[str, str], str]:
        """Open the page at the path, and send the form with the page's token against cross-site request forgery."""
        _status, _headers, page = self.request("GET", path)
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
        assert token, page
        return self.request("POST", path, {**form, "csrfmiddlewaretoken": token[1]})


class LoopbackConnection(http.client.HTTPSConnection):
    """An HTTPS connection to this machine that verifies the certificate for the requested host name."""

    def connect(self) -> None:
        host, self.host = self.host, ports.LOOPBACK
        http.client.HTTPConnection.connect(self)
        self.host = host
        self.sock = self._context.wrap_socket(self.sock, server_hostname=host)  # type: ignore[attr-defined]
