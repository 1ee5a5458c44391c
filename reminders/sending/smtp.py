"""Hands one mail to the mail server over a kept connection and says what is certain about its fate.

Three answers: it returns (the server took it), it raises MailRejected or MailDeferred (it certainly did
not), or it raises MailOutcomeUnknown. For SMTP the line between them is the mail's first byte: until the server
has answered 354 to DATA nothing can have been sent (RFC 5321, 4.1.1.4), and after the last byte only its
answer tells.
"""

from __future__ import annotations

import contextlib
import functools
import re
import smtplib
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.smtp import EmailBackend
from django.core.mail.message import sanitize_address
from django.utils.translation import gettext_noop as _

from hotelagent.core.messages import TranslatableMessage
from reminders.errors import MailDeferred, MailOutcomeUnknown, MailRejected
from reminders.mail.mime import as_bytes
from reminders.providers import requests

#: Called when the mail is about to leave, and not before: what it raises keeps the mail from leaving.
BeforeData = Callable[[], None]

DJANGO_SMTP = "django.core.mail.backends.smtp.EmailBackend"

#: Seconds without a mail after which a kept connection is left: servers hang up after some minutes.
LONGEST_IDLE = 20.0


class Transport:
    """A kept connection: opened by the first mail, opened again after one that broke it."""

    def __init__(self) -> None:
        path = settings.EMAIL_BACKEND
        self._backend = SmtpBackend() if path == DJANGO_SMTP else get_connection(path)
        self._last_used = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(smtplib.SMTPException, OSError):  # all that mattered was said by now
            self._backend.close()

    def send(self, message: EmailMessage, *, before_data: BeforeData) -> None:
        """Send one mail. `before_data` is called once, before any byte of it leaves.

        Raises MailRejected, MailDeferred or MailOutcomeUnknown, and whatever `before_data` raises.
        """
        if not isinstance(self._backend, SmtpBackend):
            self._send_by_other(message, before_data)
            return
        if time.monotonic() - self._last_used > LONGEST_IDLE:
            self._backend.drop()
        try:
            self._send_by_smtp(self._backend, message, before_data)
        finally:
            self._last_used = time.monotonic()

    def _send_by_smtp(self, backend: SmtpBackend, message: EmailMessage, before_data: BeforeData) -> None:
        is_new = _open(backend)
        try:
            self._converse(backend, message, before_data)
        except MailDeferred as error:
            # A server may have had enough of a connection, by its age or its mails: that says nothing of a new one.
            if is_new or error.extra.get("smtp_code", 421) != 421:
                raise
            backend.drop()
            _open(backend)
            self._converse(backend, message, before_data)

    def _converse(self, backend: SmtpBackend, message: EmailMessage, before_data: BeforeData) -> None:
        session = backend.session
        session.begin(before_data)
        try:
            backend.send_one(message)
        except smtplib.SMTPRecipientsRefused as error:
            code, text = next(iter(error.recipients.values()))
            self._recover(backend)
            raise _refusal(code, text) from error
        except smtplib.SMTPResponseException as error:  # MAIL FROM or DATA answered with an error
            self._recover(backend)
            if session.has_begun and not 400 <= error.smtp_code < 600:
                raise MailOutcomeUnknown(_said(error.smtp_code, error.smtp_error)) from error
            raise _refusal(error.smtp_code, error.smtp_error) from error
        except (smtplib.SMTPException, OSError) as error:
            backend.drop()
            if session.has_begun:
                raise MailOutcomeUnknown(
                    TranslatableMessage(
                        _("The connection broke after the mail was handed over: {why}"), why=str(error)
                    )
                ) from error
            raise MailDeferred(
                TranslatableMessage(
                    _("The connection broke before the mail was handed over: {why}"), why=str(error)
                )
            ) from error
        except BaseException:
            backend.drop()  # `before_data` said no in the middle of the dialogue
            raise

    def _recover(self, backend: SmtpBackend) -> None:
        """smtplib resets the dialogue after a refusal; a server that refuses 421 has hung up."""
        if not backend.session.is_open:
            backend.drop()

    def _send_by_other(self, message: EmailMessage, before_data: BeforeData) -> None:
        """Another backend: only an answer with a status is known not to have been taken."""
        requests.name(self._backend, message)
        before_data()
        try:
            self._backend.send_messages([message])
        except Exception as error:
            raise requests.fate(error) from error


_mine = threading.local()


def kept() -> Transport:
    """This thread's, for who sends batch after batch: its connection stays open between them."""
    if not hasattr(_mine, "transport"):
        _mine.transport = Transport()
    transport: Transport = _mine.transport
    return transport


def _open(backend: SmtpBackend) -> bool:
    """Whether there was no connection before."""
    try:
        return bool(backend.open())
    except smtplib.SMTPResponseException as error:  # greeting, login: our fault or its mood, not the mail's
        raise MailDeferred(_said(error.smtp_code, error.smtp_error)) from error
    except (smtplib.SMTPException, OSError) as error:
        raise MailDeferred(
            TranslatableMessage(_("The mail server can't be reached: {why}"), why=str(error))
        ) from error


class _Smtp(smtplib.SMTP):
    """A client that tells how far the dialogue of the current mail got."""

    before_data: BeforeData | None = None
    has_begun = False

    def begin(self, before_data: BeforeData) -> None:
        self.before_data, self.has_begun = before_data, False

    def deliver(self, sender: str, recipients: list[str], mail: bytes) -> None:
        """As `sendmail`, but for its envelope in one message where the server offers that (RFC 2920)."""
        self.ehlo_or_helo_if_needed()
        if not self.has_extn("pipelining"):
            self.sendmail(sender, recipients, mail)
            return
        size = f" size={len(mail)}" if self.has_extn("size") else ""
        to = "".join(f"RCPT TO:{_in_envelope(recipient)}\r\n" for recipient in recipients)
        self.send(f"MAIL FROM:{_in_envelope(sender)}{size}\r\n{to}DATA\r\n".encode("ascii"))
        of_sender = self._answer()
        of_recipients = zip(recipients, [self._answer() for _ in recipients], strict=True)
        go_ahead = self._answer()
        refused = {recipient: answer for recipient, answer in of_recipients if answer[0] not in {250, 251}}
        error: smtplib.SMTPException
        if of_sender[0] != 250:
            error = smtplib.SMTPSenderRefused(*of_sender, sender)
        elif len(refused) == len(recipients):
            error = smtplib.SMTPRecipientsRefused(refused)
        elif go_ahead[0] != 354:
            error = smtplib.SMTPDataError(*go_ahead)
        else:
            code, answer = self._hand_over(mail)
            if code == 250:
                return
            error = smtplib.SMTPDataError(code, answer)
        if (go_ahead[0] == 354 and not self.has_begun) or getattr(error, "smtp_code", 0) == 421:
            self.close()  # it waits for a mail that nobody is to get, or waits for nothing more
        else:
            with contextlib.suppress(smtplib.SMTPServerDisconnected):  # the next mail will meet it
                self.rset()
        raise error

    def _answer(self) -> tuple[int, bytes]:
        code, answer = self.getreply()
        if code == 421:  # it hangs up, and says nothing to the rest
            self.close()
            raise smtplib.SMTPResponseException(code, answer)
        return code, answer

    def data(self, msg: Any) -> tuple[int, bytes]:
        """As smtplib's, with a word between the server's go-ahead and the first byte."""
        self.putcmd("data")
        code, answer = self.getreply()
        if code != 354:
            raise smtplib.SMTPDataError(code, answer)
        return self._hand_over(msg)

    def _hand_over(self, mail: bytes) -> tuple[int, bytes]:
        if self.before_data is not None:
            self.before_data()
        self.has_begun = True
        # RFC 5321, 4.5.2; `as_bytes` gives lines that end with CRLF
        lines = re.sub(rb"(?m)^\.", b"..", mail)
        self.send(lines + (b".\r\n" if lines.endswith(b"\r\n") else b"\r\n.\r\n"))
        return self.getreply()

    @property
    def is_open(self) -> bool:
        return getattr(self, "sock", None) is not None


class _SmtpOverTls(_Smtp, smtplib.SMTP_SSL):
    """The same through TLS from the first byte."""


_sanitized_sender = functools.lru_cache(maxsize=4096)(sanitize_address)
_PLAIN = re.compile(r"[\w+-]{1,40}(\.[\w+-]{1,20})?@([a-z0-9-]{1,60}\.){1,3}[a-z]{2,20}", re.ASCII)


def _sanitized(address: str, encoding: str) -> str:
    """Django's parser takes longer to find that nothing is to be done than the rest of the mail takes."""
    return address if _PLAIN.fullmatch(address) else sanitize_address(address, encoding)


_quoted = functools.lru_cache(maxsize=4096)(smtplib.quoteaddr)


def _in_envelope(address: str) -> str:
    return f"<{address}>" if _PLAIN.fullmatch(address) else _quoted(address)


class SmtpBackend(EmailBackend):
    """Django's, speaking through a client that tells how far it got."""

    connection: Any

    @property
    def connection_class(self) -> type[_Smtp]:
        return _SmtpOverTls if self.use_ssl else _Smtp

    @property
    def session(self) -> _Smtp:
        session: _Smtp = self.connection
        return session

    def send_one(self, message: EmailMessage) -> None:
        encoding = message.encoding or settings.DEFAULT_CHARSET
        recipients = [_sanitized(address, encoding) for address in message.recipients()]
        self.session.deliver(_sanitized_sender(message.from_email, encoding), recipients, as_bytes(message))

    def drop(self) -> None:
        """Forget a connection that is no longer in step, without waiting for its goodbye."""
        if self.connection is not None:
            smtplib.SMTP.close(self.connection)
            self.connection = None


def _refusal(code: int, text: bytes | str) -> MailRejected | MailDeferred:
    return (MailRejected if 500 <= code < 600 else MailDeferred)(_said(code, text), smtp_code=code)


def _said(code: int, text: bytes | str) -> str:
    words = text.decode(errors="replace") if isinstance(text, bytes) else text
    return f"{code} {' '.join(words.split())}"[:500]
