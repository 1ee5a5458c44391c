"""A local HTTP server that imitates a booking channel in tests.

The server publishes a calendar. A test can make the server respond with an error, a redirect or an incomplete calendar.
"""

from tests.web import QuietHandler, ScriptedServer

TOKEN = "s3cr3t-t0ken"


class _Handler(QuietHandler):
    server: "Channel"

    def do_GET(self) -> None:
        channel = self.server
        channel.requests.append({"path": self.path, **{k.lower(): v for k, v in self.headers.items()}})
        is_browser = "Mozilla" in self.headers.get("User-Agent", "")
        match channel.next_response() if is_browser else 403:
            case 200:
                known = self.headers.get("If-None-Match") == channel.etag
                headers = {"ETag": channel.etag, "Last-Modified": "Tue, 01 May 2030"} | channel.headers
                self.send_head(304 if known else 200, **headers)
                self.wfile.write(b"" if known else channel.content)
            case int(status):
                self.send_head(status)
            case "hang":
                channel.closed.wait(30)
            case "drip":
                self.send_head(200)
                while not channel.closed.wait(0.1):
                    self.wfile.write(b" ")
            case "short":
                self.send_head(200, **{"Content-Length": "100000"})
                self.wfile.write(channel.content)
            case "endless":
                self.send_head(200)
                while not channel.closed.is_set():
                    self.wfile.write(b"X" * 65_536)
            case str(where):
                self.send_head(302, Location=where)


class Channel(ScriptedServer):
    """An HTTP server that publishes the calendar of a booking channel.

    Each request is handled with the next item of `responses`: an HTTP status, the target of a redirect, or the name of
    a fault. `hang` sends no response, `drip` sends one byte at a time, `short` ends the response too early, and
    `endless` never ends the response. Clients without "Mozilla" in their User-Agent are refused.
    """

    def __init__(self, content: bytes) -> None:
        super().__init__(_Handler, 200)
        self.content = content
        self.headers: dict[str, str] = {}
        self.requests: list[dict[str, str]] = []

    @property
    def url(self) -> str:
        return f"{self.address}/export.ics?s={TOKEN}"

    @property
    def etag(self) -> str:
        return f'"{hash(self.content)}"'
