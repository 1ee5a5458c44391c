"""The caught mail in a browser, and as JSON for scripts. Answers to this machine's own names only."""

import json
from dataclasses import asdict
from email.message import EmailMessage
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

from hotelagent.embedded.mailbox import Letter, Mailbox
from hotelagent.embedded.ports import LOOPBACK

PAGE = 100
OUR_NAMES = {"localhost", LOOPBACK, "[::1]"}

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
OUR_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'; form-action 'self'"
# What a sender wrote may show itself, and neither run, nor fetch, nor leave its frame.
THEIR_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'"


def page(title: str, body: str, *, words: str = "", refresh: bool = False) -> str:
    again = '<meta http-equiv="refresh" content="10">' if refresh else ""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">{again}'
        f"<title>{escape(title)}</title>"
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head><body>'
        '<header><h1><a href="/">Caught mail</a></h1><form action="/"><input name="q" type="search" '
        f'value="{escape(words)}" aria-label="Search" placeholder="Search"></form></header>{body}'
    )


def listing(letters: list[Letter], *, words: str, offset: int) -> str:
    if not letters:
        return page("Caught mail", '<p class="empty">No mail here yet.</p>', words=words, refresh=True)
    rows = "".join(
        f'<tr><td class="time">{escape(letter.received_at[:19].replace("T", " "))}</td>'
        f"<td>{escape(letter.hotel)}</td><td>{escape(', '.join(letter.to))}</td>"
        f'<td><a href="/messages/{letter.id}">{escape(letter.subject or "(no subject)")}</a></td></tr>'
        for letter in letters[offset : offset + PAGE]
    )
    older = ""
    if offset + PAGE < len(letters):
        older = f'<p><a href="/?{escape(urlencode({"q": words, "offset": offset + PAGE}))}">Older</a></p>'
    table = f"<table><tr><th>Received (UTC)</th><th>Hotel</th><th>To</th><th>Subject</th></tr>{rows}</table>"
    return page(f"Caught mail ({len(letters)})", f"<p>{len(letters)} messages</p>{table}{older}", words=words)


def bodies(message: EmailMessage) -> tuple[str, str]:
    """The text and the HTML of a message; empty where it has none, or none that can be read."""
    found = []
    for kind in ("plain", "html"):
        part = message.get_body((kind,))
        try:
            found.append(str(part.get_content()) if part else "")
        except (LookupError, ValueError):
            found.append("")
    return found[0], found[1]


def view(letter: Letter, message: EmailMessage) -> str:
    text, html = bodies(message)
    headers = "\n".join(f"{name}: {value}" for name, value in message.items())
    body = (
        f"<h2>{escape(letter.subject)}</h2><p>{escape(letter.hotel)} &lt;{escape(letter.sender)}&gt; to "
        f"{escape(', '.join(letter.to))}, {escape(letter.received_at)} "
        f'(<a href="/messages/{letter.id}/source">source</a>)</p>'
    )
    if html:
        body += f'<iframe sandbox title="Message" src="/messages/{letter.id}/html"></iframe>'
    if text:
        body += f"<h2>Text</h2><pre>{escape(text)}</pre>"
    body += f"<h2>Headers</h2><pre>{escape(headers)}</pre>"
    return page(letter.subject or "(no subject)", body)


class Handler(BaseHTTPRequestHandler):
    """Pages: / and /messages/<id>[/html|/source]. JSON: /api/messages[?q=&to=&hotel=&limit=&offset=] and
    /api/messages/<id>.
    """

    mailbox: Mailbox

    def do_GET(self) -> None:
        if self.headers.get("Host", "").rpartition(":")[0] not in OUR_NAMES:
            self.answer(
                421, "text/plain", "Ask for http://localhost."
            )  # a page elsewhere that resolves to us
            return
        parts = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        match parts.path.strip("/").split("/"):
            case [""]:
                words, offset = query.get("q", ""), number(query, "offset", 0)
                self.answer(
                    200, "text/html", listing(self.mailbox.find(words=words), words=words, offset=offset)
                )
            case ["api", "messages"]:
                self.list_as_json(query)
            case ["api", "messages", letter_id] | ["messages", letter_id, *_] if found := self.mailbox.get(
                letter_id
            ):
                self.one(parts.path, *found)
            case _:
                self.answer(404, "text/plain", "There is no such page.")

    def list_as_json(self, query: dict[str, str]) -> None:
        letters = self.mailbox.find(
            words=query.get("q", ""), to=query.get("to", ""), hotel=query.get("hotel", "")
        )
        offset = number(query, "offset", 0)
        shown = letters[offset : offset + number(query, "limit", PAGE)]
        self.answer_json({"count": len(letters), "messages": [asdict(letter) for letter in shown]})

    def one(self, path: str, letter: Letter, message: EmailMessage) -> None:
        text, html = bodies(message)
        if path.startswith("/api/"):
            headers = [[name, str(value)] for name, value in message.items()]
            self.answer_json({**asdict(letter), "text": text, "html": html, "headers": headers})
        elif path.endswith("/html"):
            self.answer(200, "text/html", html, policy=THEIR_POLICY)
        elif path.endswith("/source"):
            source = self.mailbox.source(letter.id)
            self.answer(200, "text/plain", source.decode("utf-8", "replace"))
        else:
            self.answer(200, "text/html", view(letter, message))

    def answer_json(self, document: object) -> None:
        self.answer(200, "application/json", json.dumps(document, indent=1))

    def answer(self, status: int, kind: str, text: str, *, policy: str = OUR_POLICY) -> None:
        content = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Content-Security-Policy", policy)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's name
        """Say nothing: the terminal shows the mail that comes, not who looks at it."""


def number(query: dict[str, str], name: str, otherwise: int) -> int:
    value = query.get(name, "")
    return int(value) if value.isdecimal() else otherwise


def server(mailbox: Mailbox, port: int) -> ThreadingHTTPServer:
    """Listens on loopback; serve_forever() runs it."""
    handler = type("MailboxHandler", (Handler,), {"mailbox": mailbox})
    listening = ThreadingHTTPServer((LOOPBACK, port), handler)
    listening.daemon_threads = True
    return listening
