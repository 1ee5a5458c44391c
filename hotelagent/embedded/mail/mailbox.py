"""The storage of received e-mails: a folder of .eml files. Any mail program can open these files."""

import itertools
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default as modern_email
from email.utils import parseaddr
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Summary:
    """The values of an e-mail for lists of e-mails. `hotel` is the header `X-Hotel`, or else the name of the sender."""

    id: str
    received_at: str
    sender: str
    to: tuple[str, ...]
    subject: str
    hotel: str
    message_id: str


def parse(source: bytes) -> EmailMessage:
    return BytesParser(policy=modern_email).parsebytes(source)


def _summary(email_id: str, message: EmailMessage) -> Summary:
    name, address = parseaddr(str(message.get("From", "")))
    return Summary(
        id=email_id,
        received_at=str(message["X-Received-At"]),
        sender=address,
        to=tuple(str(message["X-Envelope-To"]).split(", ")),
        subject=str(message.get("Subject", "")),
        hotel=str(message.get("X-Hotel", "")) or name,
        message_id=str(message.get("Message-ID", "")).strip(),
    )


class Mailbox:
    """Stores e-mails in a folder of .eml files and finds them. The methods may be called from any thread."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self._summaries = {
            path.stem: _summary(path.stem, parse(path.read_bytes())) for path in sorted(folder.glob("*.eml"))
        }

    def add(self, source: bytes, *, sender: str, to: Sequence[str]) -> Summary:
        """Store an e-mail with its envelope (sender and recipients), and return the summary of the e-mail.

        Raises OSError if the file of the e-mail cannot be written.
        """
        now = datetime.now(UTC)
        envelope = f"X-Received-At: {now.isoformat(timespec='seconds')}\r\nX-Envelope-From: {sender}\r\n"
        envelope += f"X-Envelope-To: {', '.join(to)}\r\n"
        content = envelope.encode("ascii", "replace") + source
        with self._lock:
            email_id = f"{now:%Y%m%dT%H%M%S%f}-{next(self._numbers)}"
            summary = _summary(email_id, parse(content))
            draft = self.folder / f"{email_id}.new"
            draft.write_bytes(content)
            draft.rename(self.folder / f"{email_id}.eml")
            self._summaries[email_id] = summary
        return summary

    def find(self, *, text: str = "", to: str = "", hotel: str = "") -> list[Summary]:
        """Return the matching e-mails, newest first.

        `text` matches any part of the summary, in upper or lower case. `to` and `hotel` match only the whole value.
        """
        with self._lock:
            summaries = list(reversed(self._summaries.values()))
        return [
            summary
            for summary in summaries
            if text.casefold() in " ".join(map(str, asdict(summary).values())).casefold()
            and (not to or to in summary.to)
            and (not hotel or hotel == summary.hotel)
        ]

    def get(self, email_id: str) -> tuple[Summary, EmailMessage] | None:
        with self._lock:
            summary = self._summaries.get(email_id)
        if summary is None:
            return None
        return summary, parse(self.source(email_id))

    def source(self, email_id: str) -> bytes:
        return (self.folder / f"{email_id}.eml").read_bytes()
