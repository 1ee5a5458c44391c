"""Catches every mail of this machine instead of sending it. `python -m hotelagent.embedded.mail`, by `serve`.

Some addresses behave as mail servers do out there, so that there is something to see without one:
everybody at refused.example.com is refused for good, everybody at busy.example.com for now, twice.
"""

import argparse
import asyncio
import threading
from collections import Counter
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from hotelagent.embedded import mail_pages
from hotelagent.embedded.mailbox import Mailbox
from hotelagent.embedded.ports import LOOPBACK

REFUSED = "refused.example.com"
BUSY = "busy.example.com"
BUSY_TIMES = 2
LARGEST = 25 * 1024 * 1024  # bytes, as most providers
PAUSE = 5.0  # seconds between two lines in the terminal
GATHERING = 1.0  # seconds after the first mail


class Teller:
    """Says how many mails came, a line for many: who they are for stands in the pages, not in a terminal."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.count = 0
        self.told_at = -PAUSE

    def one_more(self) -> None:
        """Call it in the event loop."""
        self.count += 1
        if self.count == 1:
            loop = asyncio.get_running_loop()
            loop.call_at(max(loop.time() + GATHERING, self.told_at + PAUSE), self.tell)

    def tell(self) -> None:
        self.told_at = asyncio.get_running_loop().time()
        print(f"{self.count} mail{'' if self.count == 1 else 's'} caught: {self.where}", flush=True)
        self.count = 0


class Catcher:
    """What aiosmtpd asks at each step; the names are its own."""

    def __init__(self, mailbox: Mailbox, teller: Teller) -> None:
        self.mailbox = mailbox
        self.teller = teller
        self.put_off: Counter[str] = Counter()

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[Any]
    ) -> str:
        domain = address.rpartition("@")[2].lower()
        if domain == REFUSED:
            return "550 5.1.1 No such mailbox here"
        if domain == BUSY and self.put_off[address] < BUSY_TIMES:
            self.put_off[address] += 1
            return "451 4.3.2 Busy, try again later"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        source = envelope.original_content or b""
        try:
            await asyncio.to_thread(
                self.mailbox.add, source, sender=envelope.mail_from or "", to=envelope.rcpt_tos
            )
        except OSError as error:
            return f"452 4.3.1 Cannot store it: {error.strerror}"
        self.teller.one_more()
        return "250 2.0.0 Kept"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--smtp-port", type=int, required=True)
    parser.add_argument("--web-port", type=int, required=True)
    options = parser.parse_args()
    mailbox = Mailbox(options.folder)
    Controller(
        Catcher(mailbox, Teller(f"http://localhost:{options.web_port}/")),
        hostname=LOOPBACK,
        port=options.smtp_port,
        data_size_limit=LARGEST,
        ident="hotelagent",
    ).start()
    server = mail_pages.server(mailbox, options.web_port)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    threading.Event().wait()


if __name__ == "__main__":
    main()
