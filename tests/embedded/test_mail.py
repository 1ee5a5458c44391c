"""Tests of the mail server that `manage.py serve` starts for development.

The tests reach it over SMTP and HTTP.
"""

import json
import smtplib
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from hotelagent.embedded import ports


@dataclass
class Mailer:
    """A running mail server for development, and the ports on which the server listens."""

    smtp_port: int
    web_port: int
    folder: Path

    def send(self, to: str, *, html: str = "<p>Hello</p>", subject: str = "See you soon") -> None:
        message = EmailMessage()
        message["From"] = "Hotel Alpha <desk@alpha.example>"
        message["To"] = to
        message["Subject"] = subject
        message.set_content("Hello")
        message.add_alternative(html, subtype="html")
        with smtplib.SMTP("127.0.0.1", self.smtp_port) as connection:
            connection.send_message(message)

    def get(self, path: str, *, host: str = "localhost") -> Any:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.web_port}{path}", headers={"Host": f"{host}:{self.web_port}"}
        )
        return urllib.request.urlopen(request, timeout=30)  # noqa: S310 - our own address

    def messages(self, query: str = "") -> Any:
        with self.get(f"/api/messages{query}") as response:
            return json.load(response)


def start(folder: Path) -> "tuple[Mailer, subprocess.Popen[bytes]]":
    mailer = Mailer(ports.find_free_port(), ports.find_free_port(), folder)
    with (folder / "output").open("w") as output:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "hotelagent.embedded.mail.smtp_server", str(folder)),
                *("--smtp-port", str(mailer.smtp_port), "--web-port", str(mailer.web_port)),
            ],
            stdout=output,
        )
    deadline = time.monotonic() + 20
    while ports.is_free(mailer.web_port):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return mailer, process


@pytest.fixture
def mailer(tmp_path: Path) -> Iterator[Mailer]:
    mailer, process = start(tmp_path)
    yield mailer
    process.kill()
    process.wait()


def test_received_emails_are_listed_newest_first(mailer: Mailer) -> None:
    mailer.send("ana@example.com", subject="First")
    mailer.send("bo@example.com", subject="Zweite Übernachtung")
    emails = mailer.messages()
    assert emails["count"] == 2
    assert [message["subject"] for message in emails["messages"]] == ["Zweite Übernachtung", "First"]
    assert emails["messages"][0]["to"] == ["bo@example.com"]
    assert emails["messages"][0]["hotel"] == "Hotel Alpha"
    assert mailer.messages("?to=ana@example.com")["count"] == 1
    assert mailer.messages("?q=zweite")["count"] == 1


def test_mail_server_prints_one_line_without_recipients_for_three_emails(mailer: Mailer) -> None:
    for number in range(3):
        mailer.send(f"guest{number}@example.com", subject="Your stay, Ms Duarte")
    output = mailer.folder / "output"
    deadline = time.monotonic() + 20
    while not output.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert output.read_text() == f"3 e-mails received: http://localhost:{mailer.web_port}/\n"


def test_received_emails_are_kept_after_a_restart(tmp_path: Path) -> None:
    mailer, process = start(tmp_path)
    mailer.send("ana@example.com")
    process.kill()
    process.wait()
    mailer, process = start(tmp_path)
    try:
        assert mailer.messages()["count"] == 1
    finally:
        process.kill()
        process.wait()


def test_email_to_an_address_at_refused_example_com_is_always_refused(mailer: Mailer) -> None:
    for _ in range(3):
        with pytest.raises(smtplib.SMTPRecipientsRefused) as refusal:
            mailer.send("guest@refused.example.com")
        assert refusal.value.recipients["guest@refused.example.com"] == (550, b"5.1.1 No such mailbox here")
    assert mailer.messages()["count"] == 0


def test_email_to_busy_example_com_is_refused_twice_and_then_accepted(mailer: Mailer) -> None:
    for _ in range(2):
        with pytest.raises(smtplib.SMTPRecipientsRefused) as refusal:
            mailer.send("guest@busy.example.com")
        assert refusal.value.recipients["guest@busy.example.com"][0] == 451
    mailer.send("guest@busy.example.com")
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        mailer.send("other@busy.example.com")
    assert mailer.messages()["count"] == 1


def test_page_that_shows_an_email_does_not_run_its_scripts(mailer: Mailer) -> None:
    mailer.send("ana@example.com", html="<script>alert(1)</script>", subject="<script>alert(2)</script>")
    email_id = mailer.messages()["messages"][0]["id"]
    with mailer.get(f"/messages/{email_id}") as page:
        html = page.read().decode()
    assert "<script>" not in html
    assert "<iframe sandbox " in html
    with mailer.get(f"/messages/{email_id}/html") as frame:
        assert frame.headers["Content-Security-Policy"].startswith("sandbox; default-src 'none'")
        assert b"<script>" in frame.read()


def test_web_interface_shows_source_text_and_headers_of_an_email(mailer: Mailer) -> None:
    mailer.send("ana@example.com")
    email_id = mailer.messages()["messages"][0]["id"]
    with mailer.get(f"/messages/{email_id}/source") as source:
        assert b"Subject: See you soon" in source.read()
    with mailer.get(f"/api/messages/{email_id}") as response:
        document = json.load(response)
    assert document["text"].strip() == "Hello"
    assert ["Subject", "See you soon"] in document["headers"]


def test_mailbox_page_requested_with_another_host_name_returns_421(mailer: Mailer) -> None:
    with pytest.raises(urllib.error.HTTPError) as refusal:
        mailer.get("/", host="evil.example.com")
    assert refusal.value.code == 421
    refusal.value.close()


def test_url_with_a_path_outside_of_the_mailbox_returns_404(mailer: Mailer) -> None:
    for path in ("/messages/..%2f..%2fetc%2fpasswd/source", "/messages/../../etc/passwd", "/nowhere"):
        with pytest.raises(urllib.error.HTTPError) as refusal:
            mailer.get(path)
        assert refusal.value.code == 404
        refusal.value.close()
