"""A mail server that does what servers do on a bad day, and remembers each mail and whether it said so."""

import asyncio
import contextlib
import logging
import random
from collections import Counter
from dataclasses import dataclass, field
from email import message_from_bytes
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

from hotelagent.embedded import ports
from tests.chaos.program import MAIL_SECONDS
from tests.servers import listening


@dataclass
class Mails:
    """`taken` and `answered` count mails by Message-ID. Only one that asks after the answer learns of it.

    drop: takes so many mails more and hangs up without an answer.
    hang: takes so many more and answers when nobody waits any longer.
    away: greets so many more connections or mails with 421 and hangs up.
    """

    port: int = 0
    pause: float = 0.01  # seconds that a mail takes, so that there is a middle to be killed in
    taken: Counter[str] = field(default_factory=Counter)
    answered: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)  # by address
    drop: int = 0
    hang: int = 0
    away: int = 0
    without_answer: int = 0

    async def handle_EHLO(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        return [*responses[:-1], "250-PIPELINING", responses[-1]]

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.away > 0:
            self.away -= 1
            return "421 4.3.2 closing for a moment"
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[Any]
    ) -> str:
        if address.startswith("refused"):
            self.refused[address] += 1
            return "550 5.1.1 no such mailbox"
        if address.startswith("busy") and not self.refused[address]:
            self.refused[address] += 1
            return "451 4.7.1 greylisted"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        content = envelope.original_content or b""
        key = str(message_from_bytes(content.partition(b"\r\n\r\n")[0])["Message-ID"]).strip()
        self.taken[key] += 1
        if self.drop > 0:
            self.drop -= 1
            self.without_answer += 1
            if isinstance(server.transport, asyncio.WriteTransport):
                server.transport.abort()
            return "250 nobody hears it"
        if self.hang > 0:
            self.hang -= 1
            self.without_answer += 1
            await asyncio.sleep(MAIL_SECONDS * 2)
            return "250 nobody waits for it"
        await asyncio.sleep(random.uniform(0, 2 * self.pause))  # noqa: S311 - a server's mood
        self.answered[key] += 1
        return "250 2.0.0 accepted"


def mails() -> contextlib.AbstractContextManager[Mails]:
    logging.getLogger("mail.log").setLevel(logging.ERROR)  # each line of each dialogue
    return listening(Mails(port=ports.find_free_port()))
