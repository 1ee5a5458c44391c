"""A mail as the bytes that go over the wire, at a small part of the cost of Django's and Python's own writing.

What is encoded how is their decision, and so is the order of it all: here only what needs no encoding is written
straight away, which is a mail of text parts with short lines, and a header that fits a line. The rest is theirs
to write. A boundary is random: the library would search all text for one that does not occur.
"""

from __future__ import annotations

import functools
import re
import secrets
from email import policy
from email.utils import formatdate
from typing import Any, cast

from django.conf import settings
from django.core.mail import EmailMessage, EmailMultiAlternatives
from django.core.mail.message import SafeMIMEText, forbid_multi_line_headers

_WIRE = policy.compat32.clone(linesep="\r\n")
_LINE = 78  # characters that a header's line should not pass (RFC 5322, 2.1.1)
_LONGEST_LINE = 998  # octets; Django encodes what has longer ones
_ATOM = re.compile(r"[\w.:/@<>?=&%+-]{1,900}", re.ASCII)  # nothing in it where a header could be folded
_FILE_NAME = re.compile(r"[\w.-]{1,40}", re.ASCII)
#: Those that Django makes of something else, or with care of its own.
_NOT_EXTRA = {"from", "to", "cc", "reply-to", "subject", "mime-version", "content-type"}


def as_bytes(message: EmailMessage) -> bytes:
    """The whole message, its lines ended by CRLF."""
    if not _is_of_texts(message):
        return _by_the_library(message.message())
    written: list[bytes] = []
    _write_texts(cast("EmailMultiAlternatives", message), written)
    return b"".join(written)


def _by_the_library(part: Any) -> bytes:
    raw: bytes = part.as_bytes(linesep="\r\n")
    return raw


def _is_of_texts(message: EmailMessage) -> bool:
    """Text, its alternatives, files of text: what reminders are made of."""
    return (
        isinstance(message, EmailMultiAlternatives)
        and (message.encoding or settings.DEFAULT_CHARSET) == "utf-8"
        and bool(message.body and message.alternatives and message.attachments)
        and not message.cc
        and "Message-ID" in message.extra_headers
        and _NOT_EXTRA.isdisjoint(name.lower() for name in message.extra_headers)
        and all(kind.startswith("text/") for _content, kind in message.alternatives)
        and all(
            isinstance(file, tuple) and file[2].startswith("text/") and _FILE_NAME.fullmatch(file[0] or "")
            for file in message.attachments
        )
    )


def _write_texts(message: EmailMultiAlternatives, written: list[bytes]) -> None:
    boundary = secrets.token_hex(16)
    # "=" followed by these occurs in no encoding (RFC 2045, 6.7)
    mixed, alternative = f"=m{boundary}=", f"=a{boundary}="
    written.append(_multipart("mixed", mixed))
    for name, value in (
        ("Subject", message.subject),
        ("From", message.from_email),
        ("To", ", ".join(map(str, message.to))),
        ("Reply-To", ", ".join(map(str, message.reply_to))),
        *({"Date": formatdate(localtime=settings.EMAIL_USE_LOCALTIME)} | message.extra_headers).items(),
    ):
        if value or name not in {"To", "Reply-To"}:
            written.append(_header(name, str(value)))
    written.append(f"\r\n--{mixed}\r\n".encode())
    written.append(_multipart("alternative", alternative) + b"\r\n")
    for content, kind in [(message.body, "text/plain"), *message.alternatives]:
        written.append(f"--{alternative}\r\n".encode())
        _write_text(str(content), kind, written)
        written.append(b"\r\n")
    written.append(f"--{alternative}--\r\n\r\n".encode())
    for name, content, kind in cast("list[tuple[str, str, str]]", message.attachments):
        written.append(f"--{mixed}\r\n".encode())
        _write_text(content, kind, written, more=f'Content-Disposition: attachment; filename="{name}"\r\n')
        written.append(b"\r\n")
    written.append(f"--{mixed}--\r\n".encode())


def _write_text(content: str, kind: str, written: list[bytes], *, more: str = "") -> None:
    body = content.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n").encode()
    if max(map(len, body.split(b"\r\n"))) > _LONGEST_LINE:
        part = SafeMIMEText(content, kind.partition("/")[2], "utf-8")
        if more:
            name, _colon, value = more.strip().partition(": ")
            part[name] = value
        written.append(_by_the_library(part))
        return
    bits = 7 if body.isascii() else 8
    written.append(
        f'Content-Type: {kind}; charset="utf-8"\r\nMIME-Version: 1.0\r\n'
        f"Content-Transfer-Encoding: {bits}bit\r\n{more}\r\n".encode()
    )
    written.append(body)


def _multipart(kind: str, boundary: str) -> bytes:
    fold = "\r\n" if kind == "alternative" else ""  # else it fits a line
    return f'Content-Type: multipart/{kind};{fold} boundary="{boundary}"\r\nMIME-Version: 1.0\r\n'.encode()


@functools.lru_cache(maxsize=1024)
def _header(name: str, value: str) -> bytes:
    """Most of them are in each of the hotel's mails. Where it does not fit a line: as Django and the library write
    it."""
    fits = len(name) + len(value) + 2 <= _LINE and value.isascii() and value.isprintable()
    if fits:
        return f"{name}: {value}\r\n".encode()
    if _ATOM.fullmatch(value):
        return f"{name}: \r\n {value}\r\n".encode()
    folded: bytes = _WIRE.fold_binary(*forbid_multi_line_headers(name, value, "utf-8"))
    return folded
