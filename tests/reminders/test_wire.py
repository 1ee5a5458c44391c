"""What we write is what Python's generator writes: the same headers, parts and text to whoever parses it."""

import re
from email import message_from_bytes
from email.policy import default as modern_email
from typing import Any

import pytest
from django.core.mail import BadHeaderError, EmailMultiAlternatives

from reminders.mail.mime import as_bytes

TEXTS = {
    "plain": "Dear Ana,\n\nuntil tomorrow.\n",
    "other line ends": "a\rb\r\nc\n\n",
    "letters of others": "Olá João 🏖 \N{RIGHT-TO-LEFT ISOLATE}שלום\N{POP DIRECTIONAL ISOLATE}",
    "a long line": "x" * 5_000,
    "a long line of others": "ñ" * 5_000,
    "dots and dashes": ".\n..\n--\n--=\nFrom here\n",
    "nothing": "",
}


def mail(text: str, *, subject: str = "Until tomorrow", with_picture: bool = True) -> EmailMultiAlternatives:
    message = EmailMultiAlternatives(
        subject=subject,
        body=text,
        from_email="Hotel <hotel@example.com>",
        to=["Ana Lima <ana@example.com>"],
        reply_to=["desk@example.com"],
        headers={
            "Date": "Mon, 1 Jan 2030 10:00:00 -0000",
            "Message-ID": f"<{'0123456789abcdef' * 4}@a-long-name-of-a-host.example.com>",
            "List-Unsubscribe": f"<https://example.com/{'x' * 120}>",
        },
    )
    message.attach_alternative(f"<p>{text}</p>", "text/html")
    message.attach(
        "stay.ics", f"BEGIN:VCALENDAR\r\nSUMMARY:{text[:50]}\r\nEND:VCALENDAR\r\n", "text/calendar"
    )
    if with_picture:
        message.attach("logo.png", bytes(range(256)), "image/png")
    return message


def by_the_library(message: EmailMultiAlternatives) -> bytes:
    tree: Any = message.message()
    written: bytes = tree.as_bytes(linesep="\r\n")
    return written


def parts(raw: bytes) -> list[tuple[object, ...]]:
    parsed = message_from_bytes(raw, policy=modern_email)
    assert not parsed.defects
    found: list[tuple[object, ...]] = []
    for part in parsed.walk():
        headers = sorted((name, str(value)) for name, value in part.items() if name != "Content-Type")
        content = None if part.is_multipart() else part.get_payload(decode=True)
        found.append((part.get_content_type(), part.get_content_charset(), headers, content))
    return found


def without_boundaries(raw: bytes) -> bytes:
    """Each replaced by its place among them, and no header folded because of one."""
    raw = re.sub(rb";\s+boundary=", b"; boundary=", raw)
    for number, boundary in enumerate(re.findall(rb'boundary="(.+?)"', raw)):
        raw = raw.replace(boundary, b"boundary %d" % number)
    return raw


@pytest.mark.parametrize("with_picture", [True, False], ids=["picture", "text"])
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
def test_it_writes_the_same_mail(text: str, with_picture: bool) -> None:
    message = mail(text, with_picture=with_picture)
    assert parts(as_bytes(message)) == parts(by_the_library(message))


SUBJECTS = {
    "empty": "",
    "short": "Olá João 🏖",
    "long": "x" * 200,
    "wide": "ñ" * 200,
    "words": "a " * 100,
    "spaces": "  a   b  ",
    "tab": "a\tb",
    "encoded": "=?utf-8?q?x?=",
    **{f"{length}": "y" * length for length in (66, 67, 68, 69, 70, 77, 78)},
}


@pytest.mark.parametrize("with_picture", [True, False], ids=["picture", "text"])
@pytest.mark.parametrize("subject", SUBJECTS.values(), ids=SUBJECTS.keys())
def test_it_writes_the_same_headers(subject: str, with_picture: bool) -> None:
    message = mail("hello", subject=subject, with_picture=with_picture)
    ours, theirs = as_bytes(message), by_the_library(message)
    assert without_boundaries(ours) == without_boundaries(theirs)
    assert parts(ours) == parts(theirs)
    assert max(map(len, ours.splitlines())) <= 998  # RFC 5322, 2.1.1


def test_a_header_can_not_hold_another() -> None:
    for more in ({"subject": "Hi\r\nBcc: x@example.com"}, {"to": ["a@example.com\nBcc: x@example.com"]}):
        message = mail("hello", with_picture=False)
        vars(message).update(more)
        with pytest.raises(BadHeaderError):
            as_bytes(message)


def test_each_line_ends_with_crlf() -> None:
    raw = as_bytes(mail("a\rb\nc\r\nd"))
    assert raw.endswith(b"--\r\n")
    assert b"\r" not in raw.replace(b"\r\n", b"")
    assert b"\n" not in raw.replace(b"\r\n", b"")
