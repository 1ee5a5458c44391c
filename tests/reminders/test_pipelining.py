"""The envelope in one message, to a server that offers it: what becomes of the mail is as certain as without."""

from __future__ import annotations

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

HANG_UP = ""


@dataclass
class Scripted:
    """Answers each command by its first word; `heard` is all that came, message by message."""

    port: int
    answers: dict[str, list[str]] = field(default_factory=dict)
    heard: list[bytes] = field(default_factory=list)
    connections: int = 0

    def answer(self, word: str) -> str:
        usual = {"EHLO": "250-me\r\n250-PIPELINING\r\n250 SIZE 1000000", "DATA": "354 go", ".": "250 taken"}
        waiting = self.answers.get(word)
        return waiting.pop(0) if waiting else usual.get(word, "250 OK")

    def serve(self, listening: socket.socket) -> None:
        while True:
            try:
                client, _address = listening.accept()
            except OSError:
                return
            self.connections += 1
            with client:
                self._talk(client)

    def _talk(self, client: socket.socket) -> None:
        client.sendall(b"220 hello\r\n")
        in_mail = False
        while data := client.recv(1_000_000):
            self.heard.append(data)
            words = ["."] if in_mail else [line[:4].decode().upper() for line in data.split(b"\r\n")[:-1]]
            in_mail = False
            said = []
            for word in words:
                answer = self.answer(word)
                in_mail = answer.startswith("354")
                if answer == HANG_UP:
                    return
                said.append(f"{answer}\r\n")
                if answer.startswith("421"):
                    client.sendall("".join(said).encode())
                    return
            client.sendall("".join(said).encode())


@contextmanager
def scripted() -> Iterator[Scripted]:
    server = Scripted(port=ports.any_free())
    with socket.create_server((ports.LOOPBACK, server.port)) as listening:
        thread = threading.Thread(target=server.serve, args=(listening,))
        thread.start()
        try:
            yield server
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            listening.close()
            thread.join()


@pytest.fixture
def server(settings: Any) -> Iterator[Scripted]:
    with scripted() as running:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = ports.LOOPBACK, running.port
        yield running


class Post:
    def __init__(self, transport: Transport) -> None:
        self.transport, self.handed_over = transport, 0

    def __call__(self, before_data: Callable[[], None] | None = None) -> None:
        self.transport.send(
            EmailMessage("Hi", "a\n.b", "Hotel <h@example.com>", ["ana@example.com"]),
            before_data=before_data or self.count,
        )

    def count(self) -> None:
        self.handed_over += 1


@pytest.fixture
def post(server: Scripted) -> Iterator[Post]:
    with Transport() as transport:
        yield Post(transport)


def mails(server: Scripted) -> list[bytes]:
    return [data for data in server.heard if data.endswith(b"\r\n.\r\n")]


def test_the_envelope_is_one_message_and_the_mail_another(server: Scripted, post: Post) -> None:
    post()
    post()
    _greeting, envelope, mail, again, _mail = server.heard
    size = int(envelope.partition(b"size=")[2].split()[0])
    assert envelope == (b"MAIL FROM:<h@example.com> size=%d\r\nRCPT TO:<ana@example.com>\r\nDATA\r\n" % size)
    assert mail.endswith(b"a\r\n..b\r\n.\r\n")
    assert len(mail) == size + len(b".") + len(b"\r\n.\r\n")
    assert again.startswith(b"MAIL FROM")
    assert (server.connections, post.handed_over) == (1, 2)


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        ({"RCPT": ["550 no such mailbox"], "DATA": ["503 nobody to write to"]}, MailRejected),
        ({"RCPT": ["550 no such mailbox"]}, MailRejected),  # and 354 all the same
        ({"RCPT": ["451 greylisted"], "DATA": ["503 nobody to write to"]}, MailDeferred),
        ({"MAIL": ["552 too large"], "RCPT": ["503 no sender"], "DATA": ["503 no sender"]}, MailRejected),
        ({"MAIL": ["550 not you"]}, MailRejected),
        ({"DATA": ["554 no mail today"]}, MailRejected),
        ({"DATA": ["452 no room"]}, MailDeferred),
        ({"MAIL": [HANG_UP]}, MailDeferred),
        ({"DATA": [HANG_UP]}, MailDeferred),
        ({"MAIL": ["421 closing"]}, MailDeferred),
        ({"RCPT": ["421 closing"]}, MailDeferred),
    ],
)
def test_what_is_refused_before_the_go_ahead_never_left(
    server: Scripted, post: Post, answers: dict[str, list[str]], error: type[Exception]
) -> None:
    server.answers = answers
    with pytest.raises(error):
        post()
    assert (mails(server), post.handed_over) == ([], 0)
    post()  # the next is not taken for a part of this one
    assert (len(mails(server)), post.handed_over) == (1, 1)


def test_a_mail_that_is_called_back_does_not_leave(server: Scripted, post: Post) -> None:
    def lost() -> None:
        raise LookupError

    with pytest.raises(LookupError):
        post(lost)
    assert mails(server) == []
    post()
    assert (len(mails(server)), server.connections) == (1, 2)


def test_an_old_connection_that_is_closed_is_opened_again(server: Scripted, post: Post) -> None:
    post()
    server.answers = {"MAIL": ["421 too many mails"]}
    post()
    assert (len(mails(server)), server.connections) == (2, 2)


@pytest.mark.parametrize(
    ("answer", "error"),
    [("554 spam", MailRejected), ("451 try later", MailDeferred), (HANG_UP, MailOutcomeUnknown)],
)
def test_after_the_last_byte_only_the_answer_tells(
    server: Scripted, post: Post, answer: str, error: type[Exception]
) -> None:
    server.answers = {".": [answer]}
    with pytest.raises(error):
        post()
    assert (len(mails(server)), post.handed_over) == (1, 1)
    post()
    assert len(mails(server)) == 2


@pytest.mark.parametrize("address", ["ana@example.com", "o'brien@example.com", "ANA@Example.COM", "a@b.museum",
                                     "ana@münchen.example", "josé@example.com", '"a b"@example.com'])  # fmt: skip
def test_an_address_is_written_as_django_writes_it(server: Scripted, address: str) -> None:
    written = []
    for offers in (["250-me\r\n250-PIPELINING\r\n250 OK"], ["250-me\r\n250 OK"]):
        server.answers, server.heard = {"EHLO": offers}, []
        with Transport() as transport:
            transport.send(EmailMessage("Hi", "a", "h@example.com", [address]), before_data=lambda: None)
        everything = b"".join(server.heard)
        written.append(next(line for line in everything.split(b"\r\n") if line.upper().startswith(b"RCPT")))
    assert written[0].lower() == written[1].lower()
