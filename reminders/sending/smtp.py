"""Delivery of messages to the mail server, one at a time.

`Transport.send` returns if the server accepted the message. It raises MailRejected or MailDeferred if the server
certainly did not accept the message, and otherwise MailOutcomeUnknown. No byte of the message is sent until the server
replies 354 to the DATA command (RFC 5321, 4.1.1.4), so before that reply the outcome is certain.
"""

from __future__ import annotations

import contextlib
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
from django.utils.translation import gettext_noop as _

from hotelagent.core.messages import TranslatableMessage
from reminders.errors import MailDeferred, MailOutcomeUnknown, MailRejected
from reminders.providers import requests

#: The type of a function that is called just before the first byte of a message is sent.
#: If a function of the type `BeforeData` raises an exception, the message is not sent.
BeforeData = Callable[[], None]

DJANGO_SMTP_BACKEND = "django.core.mail.backends.smtp.EmailBackend"

#: The number of seconds after which an idle connection is replaced, because servers close idle connections.
MAX_IDLE = 20.0

# Reply codes (RFC 5321, 4.2.3).
_OK = 250
_ACCEPTED_RECIPIENT = {250, 251}
_START_MAIL_INPUT = 354
_SERVICE_NOT_AVAILABLE = 421

_LEADING_DOT = re.compile(rb"^\.", re.MULTILINE)  # SMTP requires that leading dots are doubled


class Transport:
    """A connection to the mail server that stays open between messages and is reopened after an error."""

    def __init__(self) -> None:
        path = settings.EMAIL_BACKEND
        self._backend = SmtpBackend() if path == DJANGO_SMTP_BACKEND else get_connection(path)
        self._last_used = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(smtplib.SMTPException, OSError):
            self._backend.close()

    def send(self, message: EmailMessage, *, before_data: BeforeData) -> None:
        """Send one message.

        `before_data` is called once, before the first byte of the message is sent. `before_data` is not called if the
        server refuses the sender, the recipient or the DATA command.

        Raises MailRejected, MailDeferred or MailOutcomeUnknown, and any exception that `before_data` raises.
        """
        if not isinstance(self._backend, SmtpBackend):
            self._send_by_provider(message, before_data)
            return
        if time.monotonic() - self._last_used > MAX_IDLE:
            self._backend.drop_connection()
        try:
            self._send_by_smtp(self._backend, message, before_data)
        finally:
            self._last_used = time.monotonic()

    def _send_by_smtp(self, backend: SmtpBackend, message: EmailMessage, before_data: BeforeData) -> None:
        is_new_connection = _open(backend)
        try:
            _send_message(backend, message, before_data)
        except MailDeferred as error:
            # Retry with a new connection, because servers limit a connection's duration and its number of messages.
            if is_new_connection or error.extra.get("smtp_code") not in {None, _SERVICE_NOT_AVAILABLE}:
                raise
            backend.drop_connection()
            _open(backend)
            _send_message(backend, message, before_data)

    def _send_by_provider(self, message: EmailMessage, before_data: BeforeData) -> None:
        requests.prepare_message(self._backend, message)
        before_data()
        try:
            self._backend.send_messages([message])
        except Exception as error:
            raise requests.classify_error(error) from error


_thread_local = threading.local()


def thread_transport() -> Transport:
    """Return the mail server connection of this thread, which stays open between batches."""
    if not hasattr(_thread_local, "transport"):
        _thread_local.transport = Transport()
    transport: Transport = _thread_local.transport
    return transport


def _open(backend: SmtpBackend) -> bool:
    """Open the connection to the mail server if it is closed. Return whether the connection was opened.

    Raises MailDeferred.
    """
    try:
        return bool(backend.open())
    except smtplib.SMTPResponseException as error:
        raise MailDeferred(_reply_text(error.smtp_code, error.smtp_error)) from error
    except (smtplib.SMTPException, OSError) as error:
        raise MailDeferred(
            TranslatableMessage(_("The mail server can't be reached: {error}"), error=str(error))
        ) from error


def _send_message(backend: SmtpBackend, message: EmailMessage, before_data: BeforeData) -> None:
    session = backend.session
    session.start_message(before_data)
    try:
        backend.send_messages([message])
    except smtplib.SMTPRecipientsRefused as error:
        code, reply = next(iter(error.recipients.values()))
        backend.reset_session()
        raise _error_of_reply(code, reply) from error
    except smtplib.SMTPResponseException as error:
        backend.reset_session()
        if session.data_started and not 400 <= error.smtp_code < 600:
            raise MailOutcomeUnknown(_reply_text(error.smtp_code, error.smtp_error)) from error
        raise _error_of_reply(error.smtp_code, error.smtp_error) from error
    except (smtplib.SMTPException, OSError) as error:
        backend.drop_connection()
        if session.data_started:
            raise MailOutcomeUnknown(
                TranslatableMessage(
                    _("The connection was lost after the transmission had started: {error}"), error=str(error)
                )
            ) from error
        raise MailDeferred(
            TranslatableMessage(
                _("The connection was lost before the transmission had started: {error}"), error=str(error)
            )
        ) from error
    except BaseException:
        # The server may be waiting for the rest of the message, and would read the QUIT command as message text.
        backend.drop_connection()
        raise


class _SmtpSession(smtplib.SMTP):
    """An SMTP client that calls `before_data` just before sending the message, after the server's reply 354."""

    before_data: BeforeData | None = None
    data_started = False

    def start_message(self, before_data: BeforeData) -> None:
        self.before_data, self.data_started = before_data, False

    def sendmail(
        self, from_addr: str, to_addrs: Any, msg: Any, mail_options: Any = (), rcpt_options: Any = ()
    ) -> dict[str, tuple[int, bytes]]:
        """Send a message to one recipient, with two round trips instead of four if the server supports pipelining.

        The commands MAIL, RCPT and DATA are sent together (RFC 2920).
        """
        self.ehlo_or_helo_if_needed()
        if not self.has_extn("pipelining"):
            return super().sendmail(from_addr, to_addrs, msg, mail_options, rcpt_options)
        [recipient] = to_addrs
        size = f" size={len(msg)}" if self.has_extn("size") else ""
        self.send(
            f"MAIL FROM:{smtplib.quoteaddr(from_addr)}{size}\r\n"
            f"RCPT TO:{smtplib.quoteaddr(recipient)}\r\n"
            "DATA\r\n".encode("ascii")
        )
        sender_reply, recipient_reply, data_reply = [self._reply_in_group() for _command in range(3)]
        is_refused = sender_reply[0] != _OK or recipient_reply[0] not in _ACCEPTED_RECIPIENT
        if is_refused and data_reply[0] == _START_MAIL_INPUT:
            # The server refused the sender or the recipient, but accepted DATA and waits for a message.
            # Close the connection, so that the server receives no message.
            self.close()
        if sender_reply[0] != _OK:
            raise smtplib.SMTPSenderRefused(*sender_reply, from_addr)
        if recipient_reply[0] not in _ACCEPTED_RECIPIENT:
            raise smtplib.SMTPRecipientsRefused({recipient: recipient_reply})
        if data_reply[0] != _START_MAIL_INPUT:
            raise smtplib.SMTPDataError(*data_reply)
        code, reply = self._send_data(msg)
        if code == _SERVICE_NOT_AVAILABLE:
            self.close()
        if code != _OK:
            raise smtplib.SMTPDataError(code, reply)
        return {}

    def _reply_in_group(self) -> tuple[int, bytes]:
        code, reply = self.getreply()
        if code == _SERVICE_NOT_AVAILABLE:  # with this code, the server closes the connection
            self.close()
            raise smtplib.SMTPResponseException(code, reply)
        return code, reply

    def data(self, msg: Any) -> tuple[int, bytes]:
        """Send the DATA command, call `before_data`, then send the message.

        This method overrides the method `data` of `smtplib.SMTP`.
        """
        self.putcmd("data")
        code, reply = self.getreply()
        if code != _START_MAIL_INPUT:
            raise smtplib.SMTPDataError(code, reply)
        return self._send_data(msg)

    def _send_data(self, message: bytes) -> tuple[int, bytes]:
        if self.before_data is not None:
            self.before_data()
        self.data_started = True
        message = _LEADING_DOT.sub(b"..", message)
        self.send(message + (b".\r\n" if message.endswith(b"\r\n") else b"\r\n.\r\n"))
        return self.getreply()


class _SmtpOverTlsSession(_SmtpSession, smtplib.SMTP_SSL):
    """The variant of `_SmtpSession` for connections that use TLS from the first byte."""


class SmtpBackend(EmailBackend):
    """Django's SMTP backend with an SMTP client that reports whether the transmission of a message has started."""

    connection: Any

    @property
    def connection_class(self) -> type[_SmtpSession]:
        return _SmtpOverTlsSession if self.use_ssl else _SmtpSession

    @property
    def session(self) -> _SmtpSession:
        session: _SmtpSession = self.connection
        return session

    def reset_session(self) -> None:
        """Prepare the connection for the next message after the server refused a message.

        If the server does not accept the RSET command, close the connection.
        """
        try:
            code, _reply = self.session.rset()
        except smtplib.SMTPException:
            self.drop_connection()
        else:
            if code != _OK:
                self.drop_connection()

    def drop_connection(self) -> None:
        """Close the connection without the QUIT command, because the server may be waiting for message data."""
        if self.connection is not None:
            smtplib.SMTP.close(self.connection)
            self.connection = None


def _error_of_reply(code: int, reply: bytes | str) -> MailRejected | MailDeferred:
    error_class = MailRejected if 500 <= code < 600 else MailDeferred
    return error_class(_reply_text(code, reply), smtp_code=code)


def _reply_text(code: int, reply: bytes | str) -> str:
    text = reply.decode(errors="replace") if isinstance(reply, bytes) else reply
    return f"{code} {' '.join(text.split())}"[:500]
