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
class Catcher:
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
        return urllib.request.urlopen(request, timeout=5)  # noqa: S310 - our own address

    def messages(self, query: str = "") -> Any:
        with self.get(f"/api/messages{query}") as answer:
            return json.load(answer)


def start(folder: Path) -> "tuple[Catcher, subprocess.Popen[bytes]]":
    catcher = Catcher(ports.any_free(), ports.any_free(), folder)
    with (folder / "said").open("w") as said:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "hotelagent.embedded.mail", str(folder)),
                *("--smtp-port", str(catcher.smtp_port), "--web-port", str(catcher.web_port)),
            ],
            stdout=said,
        )
    deadline = time.monotonic() + 20
    while ports.is_free(catcher.web_port):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return catcher, process


@pytest.fixture
def catcher(tmp_path: Path) -> Iterator[Catcher]:
    catcher, process = start(tmp_path)
    yield catcher
    process.kill()
    process.wait()


def test_it_shows_what_came_newest_first(catcher: Catcher) -> None:
    catcher.send("ana@example.com", subject="First")
    catcher.send("bo@example.com", subject="Zweite Übernachtung")
    listed = catcher.messages()
    assert listed["count"] == 2
    assert [message["subject"] for message in listed["messages"]] == ["Zweite Übernachtung", "First"]
    assert listed["messages"][0]["to"] == ["bo@example.com"]
    assert listed["messages"][0]["hotel"] == "Hotel Alpha"
    assert catcher.messages("?to=ana@example.com")["count"] == 1
    assert catcher.messages("?q=zweite")["count"] == 1


def test_it_says_in_one_line_that_mails_came_and_not_for_whom(catcher: Catcher) -> None:
    for number in range(3):
        catcher.send(f"guest{number}@example.com", subject="Your stay, Ms Duarte")
    said = catcher.folder / "said"
    deadline = time.monotonic() + 20
    while not said.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert said.read_text() == f"3 mails caught: http://localhost:{catcher.web_port}/\n"


def test_it_keeps_mail_over_a_restart(tmp_path: Path) -> None:
    catcher, process = start(tmp_path)
    catcher.send("ana@example.com")
    process.kill()
    process.wait()
    catcher, process = start(tmp_path)
    try:
        assert catcher.messages()["count"] == 1
    finally:
        process.kill()
        process.wait()


def test_it_refuses_for_good_who_is_refused_there(catcher: Catcher) -> None:
    for _ in range(3):
        with pytest.raises(smtplib.SMTPRecipientsRefused) as refusal:
            catcher.send("guest@refused.example.com")
        assert refusal.value.recipients["guest@refused.example.com"] == (550, b"5.1.1 No such mailbox here")
    assert catcher.messages()["count"] == 0


def test_it_is_busy_twice_for_each_busy_recipient(catcher: Catcher) -> None:
    for _ in range(2):
        with pytest.raises(smtplib.SMTPRecipientsRefused) as refusal:
            catcher.send("guest@busy.example.com")
        assert refusal.value.recipients["guest@busy.example.com"][0] == 451
    catcher.send("guest@busy.example.com")
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        catcher.send("other@busy.example.com")
    assert catcher.messages()["count"] == 1


def test_what_a_sender_wrote_can_do_nothing(catcher: Catcher) -> None:
    catcher.send("ana@example.com", html="<script>alert(1)</script>", subject="<script>alert(2)</script>")
    letter = catcher.messages()["messages"][0]["id"]
    with catcher.get(f"/messages/{letter}") as page:
        shown = page.read().decode()
    assert "<script>" not in shown
    assert "<iframe sandbox " in shown
    with catcher.get(f"/messages/{letter}/html") as frame:
        assert frame.headers["Content-Security-Policy"].startswith("sandbox; default-src 'none'")
        assert b"<script>" in frame.read()


def test_the_source_and_the_headers_can_be_read(catcher: Catcher) -> None:
    catcher.send("ana@example.com")
    letter = catcher.messages()["messages"][0]["id"]
    with catcher.get(f"/messages/{letter}/source") as source:
        assert b"Subject: See you soon" in source.read()
    with catcher.get(f"/api/messages/{letter}") as answer:
        document = json.load(answer)
    assert document["text"].strip() == "Hello"
    assert ["Subject", "See you soon"] in document["headers"]


def test_it_answers_to_no_other_name(catcher: Catcher) -> None:
    with pytest.raises(urllib.error.HTTPError) as refusal:
        catcher.get("/", host="evil.example.com")
    assert refusal.value.code == 421
    refusal.value.close()


def test_there_is_nothing_above_its_folder(catcher: Catcher) -> None:
    for path in ("/messages/..%2f..%2fetc%2fpasswd/source", "/messages/../../etc/passwd", "/nowhere"):
        with pytest.raises(urllib.error.HTTPError) as refusal:
            catcher.get(path)
        assert refusal.value.code == 404
        refusal.value.close()
