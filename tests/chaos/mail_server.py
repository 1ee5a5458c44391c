"""An SMTP server that can fail like real mail servers, and records the messages it accepted and confirmed."""

import asyncio
import contextlib
import logging
import random
from collections import Counter
from dataclasses import dataclass, field
from email import message_from_bytes
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.chaos.processes import MAIL_TIMEOUT
from tests.servers import listening


@dataclass
class ChaosMailServer:
    """An SMTP server with simulated failures.

    Each of these attributes is the number of messages for which a failure will occur:

        disconnects: accept a message, and disconnect without a reply.
        hangs: accept a message, and reply only after the client has given up.
        unavailable: reply to the MAIL command with 421, and disconnect.

    `accepted` and `confirmed` count messages by Message-ID.
    """

    port: int = 0
    mean_duration: float = 0.01  # seconds per message, so that workers can be killed during a transmission
    accepted: Counter[str] = field(default_factory=Counter)
    confirmed: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)  # the refused recipients
    disconnects: int = 0
    hangs: int = 0
    unavailable: int = 0

    async def handle_EHLO(  # noqa: N802 - the name of aiosmtpd
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        return [*responses[:-1], "250-PIPELINING", responses[-1]]

    async def handle_MAIL(  # noqa: N802 - the name of aiosmtpd
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.unavailable > 0:
            self.unavailable -= 1
            return "421 4.3.2 service not available"
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(  # noqa: N802 - the name of aiosmtpd
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[Any]
    ) -> str:
        if address.startswith("rejected"):
            self.refused[address] += 1
            return "550 5.1.1 no such mailbox"
        if address.startswith("deferred") and not self.refused[address]:
            self.refused[address] += 1
            return "451 4.7.1 greylisted"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802 - the name of aiosmtpd
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        content = envelope.original_content or b""
        headers = message_from_bytes(content.partition(b"\r\n\r\n")[0])
        message_id = str(headers["Message-ID"]).strip()
        self.accepted[message_id] += 1
        if self.disconnects > 0:
            self.disconnects -= 1
            if isinstance(server.transport, asyncio.WriteTransport):
                server.transport.abort()
            return "250 the client does not receive this"
        if self.hangs > 0:
            self.hangs -= 1
            await asyncio.sleep(MAIL_TIMEOUT * 2)
            return "250 the client has given up"
        await asyncio.sleep(random.uniform(0, 2 * self.mean_duration))  # noqa: S311 - not a secret
        self.confirmed[message_id] += 1
        return "250 2.0.0 accepted"


def mail_server() -> contextlib.AbstractContextManager[ChaosMailServer]:
    """Run the SMTP server on a free port, and yield the server."""
    logging.getLogger("mail.log").setLevel(logging.ERROR)  # otherwise aiosmtpd logs each command
    return listening(ChaosMailServer())
