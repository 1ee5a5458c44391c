"""A mail as the bytes that go over the wire, in a third of the time of Python's own generator.

What is encoded how is Django's decision, in the tree of parts that it makes; this only writes the tree down. The
library folds each header anew and searches all text for a boundary that does not occur in it: here a header that
fits a line is written as it is, and a boundary is random.
"""

from __future__ import annotations

import re
import secrets
from email import policy
from email.message import Message
from typing import Any, cast

_WIRE = policy.compat32.clone(linesep="\r\n")
_LINE = 78  # characters that a header's line should not pass (RFC 5322, 2.1.1)
_BREAK = re.compile(rb"\r\n|\r|\n")


def as_bytes(message: Message[Any, Any]) -> bytes:
    """The whole message, its lines ended by CRLF."""
    written: list[bytes] = []
    _write(message, written)
    return b"".join(written)


def _write(part: Message[Any, Any], written: list[bytes]) -> None:
    payload = part.get_payload()
    if not isinstance(payload, list):
        _write_headers(part, written)
        # An unencoded body comes decoded by its own charset.
        body = str(payload or "").encode(part.get_content_charset("utf-8"))
        written.append(_BREAK.sub(b"\r\n", body))
        return
    boundary = f"={secrets.token_hex(16)}="  # "=" followed by these occurs in no encoding (RFC 2045, 6.7)
    part.set_boundary(boundary)
    _write_headers(part, written)
    for child in cast("list[Message[Any, Any]]", payload):
        written.append(f"--{boundary}\r\n".encode())
        _write(child, written)
        written.append(b"\r\n")
    written.append(f"--{boundary}--\r\n".encode())


def _write_headers(part: Message[Any, Any], written: list[bytes]) -> None:
    for name, value in part.items():
        fits = isinstance(value, str) and len(name) + len(value) + 2 <= _LINE
        if fits and value.isascii() and value.isprintable():
            written.append(f"{name}: {value}\r\n".encode())
        else:
            written.append(_WIRE.fold_binary(name, value))
    written.append(b"\r\n")
