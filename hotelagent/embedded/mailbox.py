"""The mail that the catcher took: files that any mail program opens, and a list of them."""

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
class Letter:
    """What the list shows. `hotel` is the `X-Hotel` header, or the sender's name where there is none."""

    id: str
    received_at: str
    sender: str
    to: tuple[str, ...]
    subject: str
    hotel: str
    message_id: str


def parse(source: bytes) -> EmailMessage:
    return BytesParser(policy=modern_email).parsebytes(source)


def _letter(letter_id: str, message: EmailMessage) -> Letter:
    name, address = parseaddr(str(message.get("From", "")))
    return Letter(
        id=letter_id,
        received_at=str(message["X-Received-At"]),
        sender=address,
        to=tuple(str(message["X-Envelope-To"]).split(", ")),
        subject=str(message.get("Subject", "")),
        hotel=str(message.get("X-Hotel", "")) or name,
        message_id=str(message.get("Message-ID", "")).strip(),
    )


class Mailbox:
    """A folder of .eml files, newest first. Its methods may be called from any thread."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self._letters = {
            path.stem: _letter(path.stem, parse(path.read_bytes())) for path in sorted(folder.glob("*.eml"))
        }

    def add(self, source: bytes, *, sender: str, to: Sequence[str]) -> Letter:
        """Store a message with its envelope; it is on the disk when this returns. Raises OSError."""
        now = datetime.now(UTC)
        envelope = f"X-Received-At: {now.isoformat(timespec='seconds')}\r\nX-Envelope-From: {sender}\r\n"
        envelope += f"X-Envelope-To: {', '.join(to)}\r\n"
        whole = envelope.encode("ascii", "replace") + source
        with self._lock:
            letter_id = f"{now:%Y%m%dT%H%M%S%f}-{next(self._numbers)}"
            letter = _letter(letter_id, parse(whole))
            draft = self.folder / f"{letter_id}.new"
            draft.write_bytes(whole)
            draft.rename(self.folder / f"{letter_id}.eml")
            self._letters[letter_id] = letter
        return letter

    def find(self, *, words: str = "", to: str = "", hotel: str = "") -> list[Letter]:
        """Newest first; `words` stand anywhere in what the list shows, `to` and `hotel` are whole values."""
        with self._lock:
            letters = list(reversed(self._letters.values()))
        return [
            letter
            for letter in letters
            if words.casefold() in " ".join(map(str, asdict(letter).values())).casefold()
            and (not to or to in letter.to)
            and (not hotel or hotel == letter.hotel)
        ]

    def get(self, letter_id: str) -> tuple[Letter, EmailMessage] | None:
        with self._lock:
            letter = self._letters.get(letter_id)
        if letter is None:
            return None
        return letter, parse(self.source(letter_id))

    def source(self, letter_id: str) -> bytes:
        return (self.folder / f"{letter_id}.eml").read_bytes()
