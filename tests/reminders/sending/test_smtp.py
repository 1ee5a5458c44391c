"""Tests of the SMTP transport with a scripted server: the outcome of a message after each reply or disconnect."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.core.mail import EmailMessage

from hotelagent.embedded import ports
from reminders.errors import MailDeferred, MailOutcomeUnknown, MailRejected
from reminders.sending.smtp import Transport

DISCONNECT = ""
WITH_PIPELINING = "250-scripted\r\n250-PIPELINING\r\n250 SIZE 1000000"
WITHOUT_PIPELINING = "250-scripted\r\n250 SIZE 1000000"


@dataclass
class ScriptedServer:
    """An SMTP server whose replies a test can set.

    `replies` maps the first four letters of a command, or "." for the message, to a list of replies. The server sends
    the next reply in the list each time it receives the command. `received` contains the data of each `recv` call. Only
    one connection is open at a time.
    """

    port: int
    greeting: str
    replies: dict[str, list[str]] = field(default_factory=dict)
    received: list[bytes] = field(default_factory=list)
    connections: int = 0

    @property
    def messages(self) -> list[bytes]:
        return [data for data in self.received if data.endswith(b"\r\n.\r\n")]

    def serve(self, listening: socket.socket) -> None:
        while True:
            try:
                client, _address = listening.accept()
            except OSError:
                return
            self.connections += 1
            with client:
                self._converse(client)

    def _converse(self, client: socket.socket) -> None:
        client.sendall(b"220 hello\r\n")
        expects_message = False
        has_sender = False
        while data := client.recv(1_000_000):
            self.received.append(data)
            commands = ["."] if expects_message else [line[:4].decode().upper() for line in data.splitlines()]
            replies = []
            for command in commands:
                reply = (
                    "503 nested MAIL command" if command == "MAIL" and has_sender else self._reply(command)
                )
                if reply == DISCONNECT:
                    return
                has_sender = command in {"MAIL", "RCPT", "DATA"}
                expects_message = reply.startswith("354")
                replies.append(f"{reply}\r\n")
                if reply.startswith("421"):
                    client.sendall("".join(replies).encode())
                    return
            client.sendall("".join(replies).encode())

    def _reply(self, command: str) -> str:
        if scripted := self.replies.get(command):
            return scripted.pop(0)
        return {"EHLO": self.greeting, "DATA": "354 go ahead", ".": "250 accepted"}.get(command, "250 OK")


@contextmanager
def scripted_server(greeting: str) -> Iterator[ScriptedServer]:
    server = ScriptedServer(port=ports.find_free_port(), greeting=greeting)
    with socket.create_server((ports.LOOPBACK, server.port)) as listening:
        thread = threading.Thread(target=server.serve, args=(listening,))
        thread.start()
        try:
            yield server
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            listening.close()
            thread.join()


@pytest.fixture(params=[WITH_PIPELINING, WITHOUT_PIPELINING], ids=["pipelining", "no pipelining"])
def server(request: pytest.FixtureRequest, settings: Any) -> Iterator[ScriptedServer]:
    with scripted_server(request.param) as running:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = ports.LOOPBACK, running.port
        yield running


class Sender:
    """A helper that sends an e-mail through the SMTP transport and counts the calls to its `before_data` function."""

    def __init__(self, transport: Transport) -> None:
        self.transport, self.started = transport, 0

    def __call__(self, body: str = "Hello", before_data: Callable[[], None] | None = None) -> None:
        message = EmailMessage("Hi", body, "Hotel <hotel@example.com>", ["ana@example.com"])
        self.transport.send(message, before_data=before_data or self._count)

    def _count(self) -> None:
        self.started += 1


@pytest.fixture
def send(server: ScriptedServer) -> Iterator[Sender]:
    with Transport() as transport:
        yield Sender(transport)


def test_smtp_transport_sends_two_messages_over_one_connection(server: ScriptedServer, send: Sender) -> None:
    send()
    send()
    assert (len(server.messages), server.connections, send.started) == (2, 1, 2)


def test_message_to_a_server_with_pipelining_takes_two_round_trips(
    server: ScriptedServer, send: Sender
) -> None:
    send()
    _ehlo, *received = server.received
    if server.greeting == WITHOUT_PIPELINING:
        assert [data[:4].upper() for data in received[:3]] == [b"MAIL", b"RCPT", b"DATA"]
        assert len(received) == 4
        return
    envelope, message = received
    size = len(message) - len(b"\r\n.\r\n")
    expected = f"MAIL FROM:<hotel@example.com> size={size}\r\nRCPT TO:<ana@example.com>\r\nDATA\r\n"
    assert envelope == expected.encode()


def test_transmitted_message_has_doubled_leading_dots_and_crlf_line_endings(
    server: ScriptedServer, send: Sender
) -> None:
    send("a\n.b\r\n..c\rd")
    [message] = server.messages
    assert message.endswith(b"\r\na\r\n..b\r\n...c\r\nd\r\n.\r\n")
    assert not re.search(rb"\r(?!\n)|(?<!\r)\n", message)


@pytest.mark.parametrize(
    ("replies", "error"),
    [
        ({"RCPT": ["550 no such mailbox"], "DATA": ["503 no valid recipients"]}, MailRejected),
        ({"RCPT": ["550 no such mailbox"]}, MailRejected),  # although the server accepts DATA
        ({"RCPT": ["451 greylisted"], "DATA": ["503 no valid recipients"]}, MailDeferred),
        ({"MAIL": ["552 too large"], "RCPT": ["503 no sender"], "DATA": ["503 no sender"]}, MailRejected),
        ({"MAIL": ["550 sender rejected"]}, MailRejected),
        ({"DATA": ["554 no messages today"]}, MailRejected),
        ({"DATA": ["452 insufficient storage"]}, MailDeferred),
        ({"MAIL": [DISCONNECT]}, MailDeferred),
        ({"DATA": [DISCONNECT]}, MailDeferred),
        ({"MAIL": ["421 closing"]}, MailDeferred),
        ({"RCPT": ["421 closing"]}, MailDeferred),
    ],
)
def test_message_is_not_transmitted_if_the_server_refuses_a_command(
    server: ScriptedServer, send: Sender, replies: dict[str, list[str]], error: type[Exception]
) -> None:
    server.replies = {command: list(scripted) for command, scripted in replies.items()}
    with pytest.raises(error):
        send()
    assert (server.messages, send.started) == ([], 0)
    server.replies = {}
    send()  # the server accepts the next message
    assert (len(server.messages), send.started) == (1, 1)


def test_message_is_not_transmitted_if_the_function_before_data_raises_an_error(
    server: ScriptedServer, send: Sender
) -> None:
    def refuse() -> None:
        raise LookupError

    with pytest.raises(LookupError):
        send(before_data=refuse)
    assert server.messages == []
    send()
    assert (len(server.messages), server.connections) == (1, 2)


def test_function_before_data_is_called_before_the_message_is_sent(
    server: ScriptedServer, send: Sender
) -> None:
    """The function `before_data` of the worker stores that the transmission has started.

    No part of the message may be sent before the call of `before_data`.
    """
    received: list[bytes] = []
    send(before_data=lambda: received.extend(server.received))
    assert b"DATA\r\n" in received[-1].upper()
    assert len(server.received) == len(received) + 1


def test_new_connection_is_opened_if_the_server_has_closed_the_previous_one(
    server: ScriptedServer, send: Sender
) -> None:
    send()
    server.replies = {"MAIL": ["421 too many messages"]}
    send()
    assert (len(server.messages), server.connections) == (2, 2)


@pytest.mark.parametrize(
    ("reply", "error"),
    [("554 spam", MailRejected), ("451 try again later", MailDeferred), (DISCONNECT, MailOutcomeUnknown)],
)
def test_reply_of_the_mail_server_after_the_message_determines_the_raised_error(
    server: ScriptedServer, send: Sender, reply: str, error: type[Exception]
) -> None:
    server.replies = {".": [reply]}
    with pytest.raises(error):
        send()
    assert (len(server.messages), send.started) == (1, 1)
    send()
    assert len(server.messages) == 2


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("o'brien@example.com", b"<o'brien@example.com>"),
        ("ana@münchen.example", b"<ana@xn--mnchen-3ya.example>"),
        ('"a b"@example.com', b'<"a b"@example.com>'),
    ],
)
def test_unusual_addresses_are_quoted_and_encoded_in_the_smtp_envelope(
    server: ScriptedServer, address: str, expected: bytes
) -> None:
    with Transport() as transport:
        transport.send(EmailMessage("Hi", "a", "hotel@example.com", [address]), before_data=lambda: None)
    commands = b"".join(server.received).split(b"\r\n")
    [command] = [command for command in commands if command.upper().startswith(b"RCPT TO:")]
    assert command[len("RCPT TO:") :] == expected
