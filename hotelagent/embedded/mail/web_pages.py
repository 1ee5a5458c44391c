"""The web pages that show the received e-mails, and a JSON API for scripts.

Only requests with the host name localhost are accepted. Otherwise a web site could let its host name resolve to
127.0.0.1 and read the e-mails (DNS rebinding).
"""

import json
from dataclasses import asdict
from email.message import EmailMessage
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

from hotelagent.embedded.mail.mailbox import Mailbox, Summary
from hotelagent.embedded.ports import LOOPBACK

PAGE_SIZE = 100
ALLOWED_HOSTS = {"localhost", LOOPBACK, "[::1]"}

STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; --link: #7c3aed; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 0 auto; padding: 1.5rem; }
header { display: flex; gap: 1rem; align-items: baseline; flex-wrap: wrap; }
h1 { font-size: 1.3rem; margin: 0; } h1 a { color: inherit; text-decoration: none; }
form { margin-left: auto; } input { font: inherit; padding: .3rem .6rem; width: 16rem; }
table { border-collapse: collapse; width: 100%; margin-top: 1rem; }
th, td { text-align: left; padding: .45rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; }
th { font-weight: 600; } td.time { white-space: nowrap; font-variant-numeric: tabular-nums; }
tr:hover td { background: var(--soft); } a { color: var(--link); }
iframe { width: 100%; height: 32rem; border: 1px solid var(--line); background: #fff; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; padding: 1rem; background: var(--soft); }
h2 { font-size: 1rem; margin: 1.5rem 0 .5rem; } .empty { padding: 3rem 0; text-align: center; }
"""
#: Content-Security-Policy of the pages that list and show e-mails.
PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'; form-action 'self'"
#: Content-Security-Policy of an e-mail's HTML: it runs no scripts and loads no external content.
EMAIL_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'"


def render_page(title: str, body: str, *, search: str = "", refresh: bool = False) -> str:
    refresh_tag = '<meta http-equiv="refresh" content="10">' if refresh else ""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">{refresh_tag}'
        f"<title>{escape(title)}</title>"
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head><body>'
        '<header><h1><a href="/">Received e-mails</a></h1><form action="/"><input name="q" type="search" '
        f'value="{escape(search)}" aria-label="Search" placeholder="Search"></form></header>{body}'
    )


def render_list(summaries: list[Summary], *, search: str, offset: int) -> str:
    if not summaries:
        text = "No e-mail matches your search." if search else "No e-mail has been received yet."
        return render_page("Received e-mails", f'<p class="empty">{text}</p>', search=search, refresh=True)
    rows = "".join(
        f'<tr><td class="time">{escape(summary.received_at[:19].replace("T", " "))}</td>'
        f"<td>{escape(summary.hotel)}</td><td>{escape(', '.join(summary.to))}</td>"
        f'<td><a href="/messages/{summary.id}">{escape(summary.subject or "(no subject)")}</a></td></tr>'
        for summary in summaries[offset : offset + PAGE_SIZE]
    )
    older = ""
    if offset + PAGE_SIZE < len(summaries):
        older = (
            f'<p><a href="/?{escape(urlencode({"q": search, "offset": offset + PAGE_SIZE}))}">Older</a></p>'
        )
    table = f"<table><tr><th>Received (UTC)</th><th>Hotel</th><th>To</th><th>Subject</th></tr>{rows}</table>"
    count = len(summaries)
    return render_page(f"Received e-mails ({count})", f"<p>{count} e-mails</p>{table}{older}", search=search)


def bodies_of(message: EmailMessage) -> tuple[str, str]:
    """Return the plain text and the HTML of an e-mail. A missing or unreadable part is returned as an empty string."""
    bodies = []
    for kind in ("plain", "html"):
        part = message.get_body((kind,))
        try:
            bodies.append(str(part.get_content()) if part else "")
        except (LookupError, ValueError):
            bodies.append("")
    return bodies[0], bodies[1]


def render_email(summary: Summary, message: EmailMessage) -> str:
    text, html = bodies_of(message)
    headers = "\n".join(f"{name}: {value}" for name, value in message.items())
    body = (
        f"<h2>{escape(summary.subject)}</h2><p>{escape(summary.hotel)} &lt;{escape(summary.sender)}&gt; to "
        f"{escape(', '.join(summary.to))}, {escape(summary.received_at)} "
        f'(<a href="/messages/{summary.id}/source">source</a>)</p>'
    )
    if html:
        body += f'<iframe sandbox title="Message" src="/messages/{summary.id}/html"></iframe>'
    if text:
        body += f"<h2>Text</h2><pre>{escape(text)}</pre>"
    body += f"<h2>Headers</h2><pre>{escape(headers)}</pre>"
    return render_page(summary.subject or "(no subject)", body)


class Handler(BaseHTTPRequestHandler):
    """The request handler of the web pages and of the JSON API.

    Pages: `/` and `/messages/<id>`, `/messages/<id>/html` and `/messages/<id>/source`. JSON:
    `/api/messages?q=&to=&hotel=&limit=&offset=` and `/api/messages/<id>`.
    """

    mailbox: Mailbox

    def do_GET(self) -> None:
        if self.headers.get("Host", "").rpartition(":")[0] not in ALLOWED_HOSTS:
            self.respond(421, "text/plain", "Use http://localhost.")
            return
        parts = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        match parts.path.strip("/").split("/"):
            case [""]:
                search, offset = query.get("q", ""), integer(query, "offset", 0)
                summaries = self.mailbox.find(text=search)
                self.respond(200, "text/html", render_list(summaries, search=search, offset=offset))
            case ["api", "messages"]:
                self.respond_with_list(query)
            case ["api", "messages", email_id] | ["messages", email_id, *_] if email := self.mailbox.get(
                email_id
            ):
                self.respond_with_email(parts.path, *email)
            case _:
                self.respond(404, "text/plain", "Page not found.")

    def respond_with_list(self, query: dict[str, str]) -> None:
        summaries = self.mailbox.find(
            text=query.get("q", ""), to=query.get("to", ""), hotel=query.get("hotel", "")
        )
        offset = integer(query, "offset", 0)
        page = summaries[offset : offset + integer(query, "limit", PAGE_SIZE)]
        self.respond_json({"count": len(summaries), "messages": [asdict(summary) for summary in page]})

    def respond_with_email(self, path: str, summary: Summary, message: EmailMessage) -> None:
        text, html = bodies_of(message)
        if path.startswith("/api/"):
            headers = [[name, str(value)] for name, value in message.items()]
            self.respond_json({**asdict(summary), "text": text, "html": html, "headers": headers})
        elif path.endswith("/html"):
            self.respond(200, "text/html", html, policy=EMAIL_POLICY)
        elif path.endswith("/source"):
            source = self.mailbox.source(summary.id)
            self.respond(200, "text/plain", source.decode("utf-8", "replace"))
        else:
            self.respond(200, "text/html", render_email(summary, message))

    def respond_json(self, document: object) -> None:
        self.respond(200, "application/json", json.dumps(document, indent=1))

    def respond(self, status: int, content_type: str, text: str, *, policy: str = PAGE_POLICY) -> None:
        content = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", f"{content_type}; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Content-Security-Policy", policy)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's name
        """Do nothing, so that requests to these web pages are not printed to the terminal."""


def integer(query: dict[str, str], name: str, default: int) -> int:
    value = query.get(name, "")
    return int(value) if value.isdecimal() else default


def create_server(mailbox: Mailbox, port: int) -> ThreadingHTTPServer:
    """Return an HTTP server that listens on the loopback interface. The method `serve_forever` runs the server."""
    handler = type("MailboxHandler", (Handler,), {"mailbox": mailbox})
    server = ThreadingHTTPServer((LOOPBACK, port), handler)
    server.daemon_threads = True
    return server
