"""An SMTP server that keeps all e-mails instead of delivering them, and shows them in the browser.

To demonstrate failures, the server always rejects recipients at refused.example.com, and rejects each recipient at
busy.example.com twice with a temporary error.
"""

import argparse
import asyncio
import threading
from collections import Counter
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from hotelagent.embedded.mail import web_pages
from hotelagent.embedded.mail.mailbox import Mailbox
from hotelagent.embedded.ports import LOOPBACK

REJECTED_DOMAIN = "refused.example.com"
BUSY_DOMAIN = "busy.example.com"
BUSY_TIMES = 2
#: Maximum size of an e-mail in bytes (25 MB, the usual limit of e-mail providers).
MAX_SIZE = 25 * 1024 * 1024
#: Minimum number of seconds between two lines in the terminal that report e-mails.
REPORT_INTERVAL = 5.0
#: Minimum number of seconds between an e-mail and the line that reports it, so that a line can count several e-mails.
REPORT_DELAY = 1.0


class Reporter:
    """Prints the number of received e-mails to the terminal. One line can report many e-mails."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.count = 0
        self.reported_at = -REPORT_INTERVAL

    def add(self) -> None:
        """Count a received e-mail and schedule a line of output that reports it. Must be called in the event loop."""
        self.count += 1
        if self.count == 1:
            loop = asyncio.get_running_loop()
            loop.call_at(max(loop.time() + REPORT_DELAY, self.reported_at + REPORT_INTERVAL), self.report)

    def report(self) -> None:
        self.reported_at = asyncio.get_running_loop().time()
        print(f"{self.count} e-mail{'' if self.count == 1 else 's'} received: {self.url}", flush=True)
        self.count = 0


class Handler:
    """The SMTP handler. aiosmtpd calls it for each recipient and for the content of each e-mail."""

    def __init__(self, mailbox: Mailbox, reporter: Reporter) -> None:
        self.mailbox = mailbox
        self.reporter = reporter
        self.rejections: Counter[str] = Counter()

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[Any]
    ) -> str:
        domain = address.rpartition("@")[2].lower()
        if domain == REJECTED_DOMAIN:
            return "550 5.1.1 No such mailbox here"
        if domain == BUSY_DOMAIN and self.rejections[address] < BUSY_TIMES:
            self.rejections[address] += 1
            return "451 4.3.2 Busy, try again later"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        source = envelope.original_content or b""
        try:
            await asyncio.to_thread(
                self.mailbox.add, source, sender=envelope.mail_from or "", to=envelope.rcpt_tos
            )
        except OSError as error:
            return f"452 4.3.1 Cannot store the message: {error.strerror}"
        self.reporter.add()
        return "250 2.0.0 Stored"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--smtp-port", type=int, required=True)
    parser.add_argument("--web-port", type=int, required=True)
    options = parser.parse_args()
    mailbox = Mailbox(options.folder)
    Controller(
        Handler(mailbox, Reporter(f"http://localhost:{options.web_port}/")),
        hostname=LOOPBACK,
        port=options.smtp_port,
        data_size_limit=MAX_SIZE,
        ident="hotelagent",
    ).start()
    server = web_pages.create_server(mailbox, options.web_port)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    threading.Event().wait()


if __name__ == "__main__":
    main()
